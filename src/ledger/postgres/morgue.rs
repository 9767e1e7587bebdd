//! Dead bodies: what could not become a job, or what nobody should try again.
