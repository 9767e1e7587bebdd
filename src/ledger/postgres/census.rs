//! How many jobs stand where, from what every commit counted.
