//! Whether anybody listens on a socket.

use std::io;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

/// What a socket's file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// A process listens.
    Alive,
    /// No process listens: it is gone.
    Dead,
    /// There is none.
    Gone,
}

/// Connects, without waiting: a listener with a full queue is alive. (Where the system refuses
/// connections then, as the BSDs do, such a one counts as dead.)
///
/// # Errors
/// When it cannot be told, such as for want of permission.
pub(super) fn probe(path: &Path) -> io::Result<Probe> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(Probe::Alive),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Ok(Probe::Dead),
            io::ErrorKind::NotFound => Ok(Probe::Gone),
            io::ErrorKind::WouldBlock => Ok(Probe::Alive),
            _ if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Ok(Probe::Alive)
            }
            _ => Err(error),
        },
    }
}
