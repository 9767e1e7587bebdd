//! Jobs as people look at them.
