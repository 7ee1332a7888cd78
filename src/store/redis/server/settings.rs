//! Where the servers are, and how to be let in.

use std::fmt;

/// One server or several, and how they stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topology {
    /// One server.
    Standalone,
    /// Slots spread over masters.
    Cluster,
    /// A primary that sentinels name.
    Sentinel,
}

/// Encryption, with files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Accept any certificate.
    pub insecure: bool,
    /// Authorities to trust instead of the system's.
    pub authority: Option<Vec<u8>>,
    /// The client's certificate and its key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Settings that are equal share connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How the servers stand together.
    pub topology: Topology,
    /// Host and port of each server that is known.
    pub nodes: Vec<(String, u16)>,
    /// A socket of this machine, instead of nodes.
    pub unix_path: Option<String>,
    /// The database.
    pub db: u32,
    /// The user, if it is not the default one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Encryption, if any.
    pub tls: Option<Tls>,
    /// What the sentinels call the primary.
    pub service: Option<String>,
    /// User and password at the sentinels.
    pub sentinel_login: (Option<String>, Option<String>),
    /// What the server shall call the connection.
    pub client_name: Option<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("topology", &self.topology)
            .field("nodes", &self.nodes)
            .field("unix_path", &self.unix_path)
            .field("db", &self.db)
            .finish_non_exhaustive()
    }
}
