//! Where a connection leads.

use std::fmt;

/// Host and port.
pub(super) type Node = (String, u16);

/// One server, or whichever it is now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    /// This server.
    Node(Node),
    /// A socket of this machine.
    Unix(String),
    /// Whatever server the sentinels name.
    Primary,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node((host, port)) => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
            Self::Primary => f.write_str("the sentinels' primary"),
        }
    }
}
