//! What was read of the fleet, and events that wait to be published.
