//! What people decide about single jobs: to take one back, or what became of an unknown one.
