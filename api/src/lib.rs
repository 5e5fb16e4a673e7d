//! How the world reaches the system: GraphQL, HTTP and the `pms` command line.

pub mod embedded_postgres;
