//! Who is in a cluster of nodes: gossip by chitchat, sealed, and one verdict of two voices.
//!
//! This crate knows no session. A node gives it what it tells of itself and a [`SecondVoice`], and
//! takes the list of members and what changes in it. `mycelium-ext` does so with its feature
//! `membership`.
//!
//! # Who may take part
//!
//! Each datagram is encrypted and authenticated (AES-256-GCM) with a key that is derived from the
//! cluster's secret and name, and from a session that is random for each start. What no accepted
//! key opens is dropped, counted ([`Membership::refused`]) and not answered. A sender is heard when
//! it has answered a challenge from its address, and each of its datagrams once. So a recorded
//! datagram changes nothing, and nothing goes back for it that is larger than it is. Clocks are
//! not compared. Who has the secret is trusted: such a node may tell of others what it likes.
//!
//! A key that changes: nodes accept several secrets and seal with the first
//! ([`Options::secrets`]).
//!
//! # The verdict
//!
//! The first voice is the gossip. Each node has a heartbeat that grows with each round, and others
//! pass it on. Chitchat's detector takes a node for alive while the silence of its heart is at most
//! five mean intervals ([`Member::phi`]). Ten intervals count, and five of twice the gossip's
//! interval beside them, so that the bound is between two and three and a half seconds with the
//! default interval of half a second. The second voice is the session.
//!
//! | gossip hears it | session hears it | state |
//! |---|---|---|
//! | yes | yes or no | [`Alive`](MemberState::Alive) |
//! | no | yes | [`Suspected`](MemberState::Suspected): it counts as alive |
//! | no | no | [`Down`](MemberState::Down) |
//!
//! * Of two starts of one name the one that is alive counts; of two that are alive, the one that
//!   started later. So a node that starts again replaces the one before at once. Where its clock
//!   is behind, that takes until the other one is down.
//! * Two that go on living for some seconds beside each other are told:
//!   [`MemberEvent::Contested`].
//! * A process that was suspended takes no member for down until it has listened for eight
//!   intervals.
//! * A member that comes back with the incarnation that it had is up again.
//!
//! # Bounds
//!
//! | what | bound |
//! |---|---|
//! | members, also those that are down and not forgotten by the gossip (a minute) | 48 KiB of their entries: about 700 with names of 20 bytes |
//! | members that are down in the list | 256, for [`Options::forget_after`] |
//! | members of which others tell, and that give no sign of life | not in the list; 4096 are noted |
//! | what a member tells of itself | 4 KiB, 8 addresses |
//! | a datagram; a message | 1200 B; 70 KiB in 64 datagrams |
//! | incomplete messages, of all senders | 64, for three seconds |
//! | senders that have proven to live; open challenges | 2048; 512 each way |
//! | events that a reader may be behind | 256; it is told how many it missed |

mod digest;
mod error;
mod fragment;
mod member;
mod options;
mod peers;
mod refused;
mod run;
mod seal;
mod seeds;
#[cfg(feature = "simulation")]
mod simulated;
mod socket;
mod view;
mod window;

pub use error::MembershipError;
pub use member::{Incarnation, Member, MemberEvent, MemberState};
pub use options::{Options, Secret};
pub use refused::Refused;
pub use run::Membership;
#[cfg(feature = "simulation")]
pub use simulated::{Datagrams, Receiving};
pub use view::SecondVoice;
