//! Counts the bytes between two processes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Stands between a near process and a far one. It takes no more connections when it is dropped,
/// and those that there are end with the processes.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    bytes: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
}

impl Relay {
    /// Opens a relay to `target`.
    ///
    /// # Errors
    /// There is no port.
    pub(super) fn open(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (bytes, closed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let relay = Self { address, bytes: bytes.clone(), closed: closed.clone() };
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                // One that cannot be carried on is closed, which both ends see.
                let _ = carry_both(near, target, &bytes);
            }
        });
        Ok(relay)
    }

    /// How many bytes went through so far, in both directions. What has arrived is counted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn carry_both(near: TcpStream, target: SocketAddr, bytes: &Arc<AtomicU64>) -> io::Result<()> {
    let far = TcpStream::connect(target)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let bytes = bytes.clone();
        thread::spawn(move || {
            let _ = carry(&from, &to, &bytes);
            // The other direction ends, too.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, bytes: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        // Before they arrive.
        bytes.fetch_add(count as u64, Ordering::SeqCst);
        to.write_all(&buffer[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::Relay;

    #[test]
    fn bytes_of_both_directions_are_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::open(listener.local_addr().unwrap()).unwrap();
        let mut near = TcpStream::connect(relay.address).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(&[1; 1000]).unwrap();
        far.read_exact(&mut [0; 1000]).unwrap();
        far.write_all(&[2; 234]).unwrap();
        near.read_exact(&mut [0; 234]).unwrap();
        assert_eq!(relay.bytes(), 1234);
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
    }
}
