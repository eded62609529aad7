//! The ring without frames and without a runtime, for the bench: what a transport can reach.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use tokio::io::ReadBuf;

use super::ShmTransport;
use super::link::{Link, corrupt};
use super::ring::{Inlet, Outlet};

/// How often a spinning end looks before it asks whether the peer is gone.
const LOOKS: u32 = 4096;

/// One end of a link, for one thread that waits by itself.
#[derive(Debug)]
pub struct Bare {
    link: Link,
    inlet: Inlet,
    outlet: Outlet,
    /// Reports each ring as an edge.
    epoll: OwnedFd,
}

impl ShmTransport {
    /// Takes the end without what makes it a transport.
    #[doc(hidden)]
    pub fn bare(self) -> io::Result<Bare> {
        let (inlet, outlet) =
            (Inlet::new(self.side, self.capacity), Outlet::new(self.side, self.capacity));
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&epoll, self.link.wires.own_bell(), EventData::new_u64(0), events)?;
        Ok(Bare { link: self.link, inlet, outlet, epoll })
    }
}

impl Bare {
    /// Puts all bytes, and publishes them.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            let room = self.inlet.room(&self.link.memory, bytes.len()).map_err(corrupt)?;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.inlet.put(&self.link.memory, now);
            bytes = later;
            if self.inlet.publish(&self.link.memory) {
                self.link.wires.ring()?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            if self.inlet.sleep(&self.link.memory).map_err(corrupt)? {
                self.wait()?;
            }
        }
    }

    /// Takes what is there, up to the length of `bytes`, and waits for the first byte: asleep, or
    /// by looking.
    pub fn receive(&mut self, bytes: &mut [MaybeUninit<u8>], looking: bool) -> io::Result<usize> {
        let mut buffer = ReadBuf::uninit(bytes);
        loop {
            if self.outlet.take(&self.link.memory, &mut buffer).map_err(corrupt)? {
                self.link.wires.ring()?;
            }
            if !buffer.filled().is_empty() {
                return Ok(buffer.filled().len());
            }
            if looking {
                std::hint::spin_loop();
            } else if self.outlet.sleep(&self.link.memory).map_err(corrupt)? {
                self.wait()?;
            }
        }
    }

    /// Takes it apart into halves that spin, each on a thread of its own or both on one.
    pub fn spinning(self) -> (SpinningReader, SpinningWriter) {
        let link = Arc::new(self.link);
        let reader = SpinningReader { link: link.clone(), outlet: self.outlet };
        (reader, SpinningWriter { link, inlet: self.inlet })
    }

    fn wait(&self) -> io::Result<()> {
        let mut events = [MaybeUninit::uninit(); 1];
        epoll::wait(&self.epoll, &mut events, None)?;
        Ok(())
    }
}

/// Spins until there are bytes, or the peer is gone.
#[derive(Debug)]
pub struct SpinningReader {
    link: Arc<Link>,
    outlet: Outlet,
}

impl Read for SpinningReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        let mut looks = 0_u32;
        loop {
            if self.outlet.take(&self.link.memory, &mut buffer).map_err(corrupt)? {
                self.link.wires.ring()?;
            }
            if !buffer.filled().is_empty() {
                return Ok(buffer.filled().len());
            }
            looks += 1;
            if looks % LOOKS == 0 && self.link.wires.is_closed()? {
                return Ok(0);
            }
            std::hint::spin_loop();
        }
    }
}

/// Spins until there is room, or the peer is gone.
#[derive(Debug)]
pub struct SpinningWriter {
    link: Arc<Link>,
    inlet: Inlet,
}

impl Write for SpinningWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut looks = 0_u32;
        loop {
            let room = self.inlet.room(&self.link.memory, bytes.len()).map_err(corrupt)?;
            let count = room.min(bytes.len());
            if count > 0 {
                self.inlet.put(&self.link.memory, &bytes[..count]);
                if self.inlet.publish(&self.link.memory) {
                    self.link.wires.ring()?;
                }
                return Ok(count);
            }
            looks += 1;
            if looks % LOOKS == 0 && self.link.wires.is_closed()? {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            std::hint::spin_loop();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
