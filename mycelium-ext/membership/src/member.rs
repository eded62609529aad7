//! What is known of a member, and what members tell of themselves.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The longest name, in bytes.
const NAME: usize = 255;

/// Addresses that a member may tell, and the longest, in bytes.
const ADDRESSES: usize = 8;
const ADDRESS: usize = 255;

/// The longest identity of a machine, in bytes.
const MACHINE: usize = 64;

/// The first line of what a member tells.
const FORMAT: &str = "mycelium 1";

/// Whether a member may be called so.
pub(crate) fn is_name(text: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= NAME && !text.contains(is_bad)
}

/// Which start of a node a member is. Of two of one name, the one that started later is greater, as
/// far as the clocks of their machines agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u128);

impl Incarnation {
    /// From its bytes; the first eight are nanoseconds since 1970, the others random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Nanoseconds since 1970, by the clock of its machine.
    pub(crate) const fn started(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.started(), self.0 as u64)
    }
}

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// The gossip hears it.
    Alive,
    /// The gossip does not hear it any more, and its session does: it counts as alive.
    Suspected,
    /// Neither hears it.
    Down,
}

impl MemberState {
    /// Whether it counts as alive.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Alive | Self::Suspected)
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Suspected => "suspected",
            Self::Down => "down",
        })
    }
}

/// A member of the cluster, as this node sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Member {
    /// Its full name, `name@host`.
    pub name: Arc<str>,
    /// Which start of the node it is; `None` while it is not known.
    pub incarnation: Option<Incarnation>,
    /// Whether it is there.
    pub state: MemberState,
    /// Whether it is this node.
    pub is_this_node: bool,
    /// How long this node has known this incarnation.
    pub age: Duration,
    /// How long its heart has not beaten, in mean intervals of its heartbeats; `None` of this node,
    /// and while too few have come. 5 is the bound.
    pub phi: Option<f64>,
    /// Where it gossips.
    pub gossip: std::net::SocketAddr,
    /// Where it may be dialled: `tcp://host:port`, `tls://host:port`, `unix:///path`.
    pub addresses: Arc<[String]>,
    /// What tells its machine from others in this cluster; `None` where its system has nothing.
    pub machine: Option<Arc<str>>,
    /// What is wrong with what it tells of itself. It is not dialled then.
    pub problem: Option<Arc<str>>,
}

/// What a member tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) incarnation: Incarnation,
    pub(crate) machine: Option<Arc<str>>,
    pub(crate) addresses: Arc<[String]>,
}

impl fmt::Display for Facts {
    /// A line each: format, incarnation, machine, addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine.as_deref().unwrap_or_default();
        write!(f, "{FORMAT}\n{:032x}\n{machine}", self.incarnation.0)?;
        self.addresses.iter().try_for_each(|address| write!(f, "\n{address}"))
    }
}

impl FromStr for Facts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 4096 {
            return Err(format!("it tells {} bytes of itself, and 4096 are the most", text.len()));
        }
        let mut lines = text.split('\n');
        match lines.next() {
            Some(FORMAT) => {}
            other => {
                let other: String = other.unwrap_or_default().chars().take(40).collect();
                return Err(format!("{other:?} is no format that this release knows"));
            }
        }
        let incarnation = lines.next().filter(|line| line.len() == 32);
        let incarnation = incarnation.and_then(|line| u128::from_str_radix(line, 16).ok());
        let incarnation = incarnation.map(Incarnation).ok_or("its incarnation is no number")?;
        let machine = lines.next().ok_or("it does not tell its machine")?;
        if machine.len() > MACHINE || machine.contains(char::is_control) {
            return Err("its machine is too long, or no text".to_owned());
        }
        let machine = (!machine.is_empty()).then(|| Arc::from(machine));
        let addresses: Vec<String> = lines.map(str::to_owned).collect();
        if addresses.len() > ADDRESSES {
            return Err(format!("it has {} addresses, and 8 are the most", addresses.len()));
        }
        let is_bad =
            |it: &&String| it.is_empty() || it.len() > ADDRESS || it.contains(char::is_control);
        if let Some(bad) = addresses.iter().find(is_bad) {
            let shown: String = bad.chars().take(40).collect();
            return Err(format!("{shown:?} is no address, or longer than 255 bytes"));
        }
        Ok(Self { incarnation, machine, addresses: addresses.into() })
    }
}

/// A change of the members.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MemberEvent {
    /// A member is there: it is new, or was down.
    Up(Member),
    /// The gossip does not hear a member any more. Its session does, so that it counts as alive.
    Suspected(Member),
    /// The gossip hears a suspected member again.
    Recovered(Member),
    /// A member is gone, as far as both voices say.
    Down(Member),
    /// Another start of a node has the name of a member from now on.
    Replaced {
        /// The one that had it.
        old: Member,
        /// The one that has it.
        new: Member,
    },
    /// Two live processes have one name. The greater incarnation is in the list. It is told once
    /// for each pair.
    Contested {
        /// The name.
        name: Arc<str>,
        /// The one in the list.
        holder: Incarnation,
        /// The other one.
        other: Incarnation,
        /// Whether it is the name of this node.
        is_this_node: bool,
    },
    /// A member that was down is not in the list any more.
    Forgotten(Member),
    /// No seed answers, and no other member is known. This node goes on trying.
    NoSeedAlive {
        /// The seeds, as they are configured.
        seeds: Arc<[String]>,
    },
    /// The gossip of this node ended with an error, and begins anew.
    Restarted {
        /// What was wrong.
        error: Arc<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            incarnation: Incarnation(u128::MAX - 7),
            machine: Some("m".into()),
            addresses: ["tcp://[::1]:1".to_owned(), "unix:///a".to_owned()].into(),
        }
    }

    #[test]
    fn what_is_told_is_read() {
        let bare = Facts { machine: None, addresses: [].into(), ..facts() };
        for it in [facts(), bare] {
            assert_eq!(it.to_string().parse(), Ok(it));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let told = facts().to_string();
        let long = "x".repeat(300);
        for (wrong, part) in [
            (String::new(), "format"),
            (told.replace("mycelium 1", "mycelium 2"), "format"),
            (told.replace("mycelium 1\n", "mycelium 1\n+"), "incarnation"),
            ("mycelium 1\n00000000000000000000000000000007".to_owned(), "machine"),
            (told.replace("\nm\n", &format!("\n{long}\n")), "machine"),
            (format!("{told}\n{long}"), "address"),
            (format!("{told}\n"), "address"),
            (format!("{told}{}", "\na".repeat(7)), "9 addresses"),
            (format!("{told}\n{}", "x".repeat(5000)), "4096"),
        ] {
            let error = wrong.parse::<Facts>().expect_err("it is wrong");
            assert!(error.contains(part), "{error}: {wrong:?}");
        }
    }

    #[test]
    fn a_later_start_is_greater() {
        let at = |started: u64, tie: u64| {
            let (started, tie) = (started.to_be_bytes(), tie.to_be_bytes());
            Incarnation::from_bytes([started, tie].concat().try_into().expect("16 bytes"))
        };
        assert!(at(1, u64::MAX) < at(2, 0) && at(2, 0) < at(2, 1));
        assert_eq!(at(5, 255).to_string(), "5-00000000000000ff");
        assert_eq!(Incarnation::from_bytes(at(5, 6).to_bytes()), at(5, 6));
    }
}
