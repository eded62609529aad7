//! The members of a cluster: who they are, which are alive, and what changes.
//!
//! A node with `[cluster]` in its configuration, or with [`NodeBuilder::cluster`], gossips with the
//! others of its cluster. It begins with one seed, or is one, and finds all others. Sessions are
//! kept with all members that are alive: the node with the smaller full name dials, and the other
//! one when there is no session after ten seconds. Peers of `[nodes.X]` are dialled as before,
//! and stock nodes are reached that way alone.
//!
//! ```no_run
//! use mycelium_ext::config::ClusterSettings;
//! use mycelium_ext::node::Node;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = ClusterSettings::default().with_seed("seed.example.org:4697")?;
//! let node = Node::builder("worker").cookie("…").cluster(cluster).start().await?;
//! let membership = node.membership().ok_or("it has a cluster")?;
//! let mut events = membership.events();
//! for member in membership.members().iter() {
//!     println!("{} is {} ({:?})", member.name, member.state, member.phi);
//! }
//! while let Ok(event) = events.recv().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Two voices, one verdict
//!
//! The gossip hears a member while its heart beats; its session hears it while it has a link, and a
//! link is closed when nothing came by it for `node.limits.silence_timeout`. A member is alive when
//! either hears it, and down when neither does. So neither a process that is suspended for a few
//! seconds nor a machine under full load is taken for dead, and one that is killed is down as soon
//! as the gossip misses it, since its links close at once. What is left of a session with a member
//! that is down ends then, with the reason `member_down`.
//!
//! `docs/membership.md` says what a partition means, and what comes of each bad input.
//!
//! [`NodeBuilder::cluster`]: crate::node::NodeBuilder::cluster

pub use mycelium_membership::{
    Incarnation, Member, MemberEvent, MemberState, Membership, MembershipError, Refused,
};
