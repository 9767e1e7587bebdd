//! The services that tests work with: real ones, and never skipped where they are missing.

/// Where PostgreSQL is.
pub fn database_url() -> String {
    given("TEST_DATABASE_URL", "PostgreSQL")
}

fn given(name: &str, service: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must say where {service} is; `make test` starts one"))
}
