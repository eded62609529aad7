//! What a node tells while it runs: an event is a line for people, or one of JSON.

use std::fmt;

use mycelium_ext::membership::{Member, MemberEvent};
use serde::Serialize;

use crate::demo::figures;

/// Something that happened. The guide's page `json.md` has each field.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Listening { node: String, address: String },
    PeerConnected { peer: String, locality: String, link: Option<String> },
    PeerDisconnected { peer: String, reason: Option<String> },
    DialFailed { peer: String, address: String, error: String, retry_in_ms: u64 },
    LocalityChanged { peer: String, from: String, to: String },
    LinkUp { peer: String, link: String },
    LinkDown { peer: String, link: String },
    LinkSwitched { peer: String, from: String, to: String },
    Unacknowledged { peer: String, messages: usize },
    MemberJoined(MemberRow),
    MemberSuspected(MemberRow),
    MemberRecovered(MemberRow),
    MemberLeft(MemberRow),
    MemberDead(MemberRow),
    MemberReplaced { member: String, old: Option<String>, new: Option<String> },
    MemberContested { member: String, holder: String, other: String, is_this_node: bool },
    MemberForgotten(MemberRow),
    NoSeedAlive { seeds: Vec<String> },
    GossipRestarted { error: String },
    EventsMissed { count: u64 },
    ReadersGathered { readers: usize, wanted: usize },
    WaitingForFeed,
    FeedFound { readers: u16, locality: Option<String> },
    FeedGone,
    Interrupted,
    ReaderReport { reader: usize, ticks: u64, skipped: u64, doubled: u64, reordered: u64 },
    ReaderLost { reader: usize, why: String },
}

/// A member of the cluster.
#[derive(Debug, Serialize)]
pub(super) struct MemberRow {
    member: String,
    incarnation: Option<String>,
    addresses: Vec<String>,
    gossip: String,
}

impl From<&Member> for MemberRow {
    fn from(member: &Member) -> Self {
        Self {
            member: member.name.to_string(),
            incarnation: member.incarnation.map(|it| it.to_string()),
            addresses: member.addresses.to_vec(),
            gossip: member.gossip.to_string(),
        }
    }
}

impl Event {
    /// What became of a member. A member that is down has left if it said so before, and is dead
    /// if it did not.
    pub(super) fn of_member(event: &MemberEvent, has_left: bool) -> Option<Self> {
        Some(match event {
            MemberEvent::Up(member) => Self::MemberJoined(member.into()),
            MemberEvent::Suspected(member) => Self::MemberSuspected(member.into()),
            MemberEvent::Recovered(member) => Self::MemberRecovered(member.into()),
            MemberEvent::Down(member) if has_left => Self::MemberLeft(member.into()),
            MemberEvent::Down(member) => Self::MemberDead(member.into()),
            MemberEvent::Replaced { old, new } => Self::MemberReplaced {
                member: new.name.to_string(),
                old: old.incarnation.map(|it| it.to_string()),
                new: new.incarnation.map(|it| it.to_string()),
            },
            MemberEvent::Contested { name, holder, other, is_this_node } => Self::MemberContested {
                member: name.to_string(),
                holder: holder.to_string(),
                other: other.to_string(),
                is_this_node: *is_this_node,
            },
            MemberEvent::Forgotten(member) => Self::MemberForgotten(member.into()),
            MemberEvent::NoSeedAlive { seeds } => Self::NoSeedAlive { seeds: seeds.to_vec() },
            MemberEvent::Restarted { error } => Self::GossipRestarted { error: error.to_string() },
            _ => return None,
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { node, address } => write!(f, "{node} listens on {address}"),
            Self::PeerConnected { peer, locality, link: Some(link) } => {
                write!(f, "peer {peer}: connected, {locality}, by {link}")
            }
            Self::PeerConnected { peer, locality, link: None } => {
                write!(f, "peer {peer}: connected, {locality}, by no link")
            }
            Self::PeerDisconnected { peer, reason: Some(reason) } => {
                write!(f, "peer {peer}: disconnected: {reason}")
            }
            Self::PeerDisconnected { peer, reason: None } => {
                write!(f, "peer {peer}: disconnected")
            }
            // The error names the address.
            Self::DialFailed { peer, error, retry_in_ms, .. } => {
                write!(f, "peer {peer}: {error}; dialled again in {retry_in_ms} ms")
            }
            Self::LocalityChanged { peer, from, to } => {
                write!(f, "peer {peer}: was {from}, and is {to} now")
            }
            Self::LinkUp { peer, link } => write!(f, "peer {peer}: link by {link} is up"),
            Self::LinkDown { peer, link } => write!(f, "peer {peer}: link by {link} broke"),
            Self::LinkSwitched { peer, from, to } => {
                write!(f, "peer {peer}: goes by {to} from here on, and no longer by {from}")
            }
            Self::Unacknowledged { peer, messages } => write!(
                f,
                "peer {peer}: gone; {messages} messages to it were not acknowledged, and may or may \
                 not have arrived"
            ),
            Self::MemberJoined(member) => write!(f, "member {member}: joined"),
            Self::MemberSuspected(member) => {
                write!(f, "member {member}: suspected; the gossip does not hear it any more")
            }
            Self::MemberRecovered(member) => write!(f, "member {member}: heard again"),
            Self::MemberLeft(member) => write!(f, "member {member}: left"),
            Self::MemberDead(member) => {
                write!(f, "member {member}: dead; it ended without saying so, or is out of reach")
            }
            Self::MemberReplaced { member, .. } => {
                write!(f, "member {member}: replaced by another start of it")
            }
            Self::MemberContested { member, is_this_node: false, .. } => {
                write!(f, "member {member}: two processes have this name")
            }
            Self::MemberContested { member, is_this_node: true, .. } => {
                write!(f, "member {member}: another process has the name of this node")
            }
            Self::MemberForgotten(member) => write!(f, "member {member}: forgotten"),
            Self::NoSeedAlive { seeds } => {
                write!(f, "no seed answers: {}; they are asked again", seeds.join(", "))
            }
            Self::GossipRestarted { error } => {
                write!(f, "the gossip ended, and begins anew: {error}")
            }
            Self::EventsMissed { count } => write!(f, "{count} events were missed"),
            Self::ReadersGathered { readers, wanted } => {
                write!(f, "{readers} readers are there, of {wanted} or more")
            }
            Self::WaitingForFeed => f.write_str("waiting for the feed"),
            Self::FeedFound { readers, locality } => {
                let locality = locality.as_deref().unwrap_or("gone already");
                write!(f, "{readers} readers read the feed, which is {locality}")
            }
            Self::FeedGone => f.write_str(
                "mycelium: the feed is gone, and did not ask the readers for their reports: it did \
                 not come to its end",
            ),
            Self::Interrupted => f.write_str("interrupted before all readers were there"),
            Self::ReaderReport { reader, ticks, skipped, doubled, reordered } => write!(
                f,
                "reader {reader}: {} ticks, skipped {skipped}, doubled {doubled}, reordered \
                 {reordered}",
                figures::count(*ticks)
            ),
            Self::ReaderLost { reader, why } => write!(f, "reader {reader}: {why}"),
        }
    }
}

impl fmt::Display for MemberRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.member)
    }
}
