//! Plumbing of this project's executables: environment variables ([`env`]), logs (`logs`), metrics (`emf`), raw JSON values ([`json`]) and
//! back-off ([`backoff`]).

pub mod backoff;
#[cfg(feature = "emf")]
pub mod emf;
pub mod env;
pub mod json;
#[cfg(feature = "logs")]
pub mod logs;
