use std::sync::Mutex;

use super::*;

const INTERVAL: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(250);

/// A voice that hears these starts.
#[derive(Default)]
struct Sessions(Mutex<HashSet<(String, Incarnation)>>);

impl SecondVoice for Sessions {
    fn hears(&self, name: &str, incarnation: Incarnation) -> bool {
        self.0.lock().expect("the set").contains(&(name.to_owned(), incarnation))
    }
}

fn incarnation(started: u64) -> Incarnation {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&started.to_be_bytes());
    Incarnation::from_bytes(bytes)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn facts(started: u64) -> String {
    let addresses = ["tcp://127.0.0.1:1".to_owned()].into();
    Facts { incarnation: incarnation(started), machine: None, addresses }.to_string()
}

/// A view, a second voice, and what the gossip has.
struct Scene {
    view: View,
    voice: Sessions,
    heard: BTreeMap<(&'static str, u64), Heard>,
    now: Instant,
    events: Vec<MemberEvent>,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let own = Member {
            name: "own@h".into(),
            incarnation: Some(incarnation(100)),
            state: MemberState::Alive,
            is_this_node: true,
            age: Duration::ZERO,
            phi: None,
            gossip: address(1),
            addresses: [].into(),
            machine: None,
            problem: None,
        };
        let forget_after = Duration::from_secs(60);
        let pace = Pace { interval: INTERVAL, tick: TICK, forget_after };
        let view = View::new(own, pace, now);
        let (voice, heard) = (Sessions::default(), BTreeMap::new());
        Self { view, voice, heard, now, events: Vec::new() }
    }

    fn hear(&mut self, name: &'static str, started: u64, is_live: bool) {
        let gossip = address(started as u16);
        let id = Id { name: name.into(), generation: started, gossip };
        let entry = self.heard.entry((name, started)).or_insert_with(|| Heard {
            id,
            heartbeat: 0,
            is_live,
            facts: Some(facts(started)),
        });
        entry.is_live = is_live;
        entry.heartbeat += u64::from(is_live);
    }

    fn session(&mut self, name: &str, started: u64, is_heard: bool) {
        let key = (name.to_owned(), incarnation(started));
        let mut sessions = self.voice.0.lock().expect("the set");
        if is_heard {
            sessions.insert(key)
        } else {
            sessions.remove(&key)
        };
    }

    /// So many ticks, in which the hearts of all that live beat.
    fn ticks(&mut self, count: u32) -> String {
        for _ in 0..count {
            self.now += TICK;
            for heard in self.heard.values_mut() {
                heard.heartbeat += u64::from(heard.is_live);
            }
            let heard = self.heard.values().cloned().collect();
            self.events.extend(self.view.update(heard, &self.voice, self.now));
        }
        let told: Vec<_> = self.events.drain(..).map(|event| word(&event)).collect();
        told.join(" ")
    }

    fn state(&self, name: &str) -> Option<MemberState> {
        let members = self.view.members(self.now);
        members.iter().find(|it| &*it.name == name).map(|it| it.state)
    }
}

fn word(event: &MemberEvent) -> String {
    match event {
        MemberEvent::Up(it) => format!("up:{}", it.name),
        MemberEvent::Suspected(it) => format!("suspected:{}", it.name),
        MemberEvent::Recovered(it) => format!("recovered:{}", it.name),
        MemberEvent::Down(it) => format!("down:{}", it.name),
        MemberEvent::Replaced { new, .. } => format!("replaced:{}", new.name),
        MemberEvent::Contested { name, is_this_node, .. } => {
            format!("contested:{name}{}", if *is_this_node { ":own" } else { "" })
        }
        MemberEvent::Forgotten(it) => format!("forgotten:{}", it.name),
        other => format!("{other:?}"),
    }
}

#[test]
fn either_voice_keeps_a_member_and_both_let_it_go() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    assert_eq!(scene.ticks(2), "up:a@h");
    // A newcomer is alive by one beat of its heart, whatever the detector says so far.
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(2), "");
    scene.hear("a@h", 1, true);
    assert_eq!(scene.ticks(2 * NEWCOMER), "");
    // The gossip alone.
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(2), "down:a@h");
    assert_eq!(scene.state("a@h"), Some(MemberState::Down));
    scene.hear("a@h", 1, true);
    assert_eq!(scene.ticks(2), "up:a@h");
    // The session goes on to hear it.
    scene.session("a@h", 1, true);
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(200), "suspected:a@h");
    assert_eq!(scene.state("a@h"), Some(MemberState::Suspected));
    scene.hear("a@h", 1, true);
    assert_eq!(scene.ticks(2), "recovered:a@h");
    // Its end is no verdict while the gossip hears it.
    scene.session("a@h", 1, false);
    assert_eq!(scene.ticks(200), "");
    scene.session("a@h", 1, true);
    scene.hear("a@h", 1, false);
    scene.ticks(1);
    scene.session("a@h", 1, false);
    assert_eq!(scene.ticks(1), "down:a@h");
    // A session with another start of it says nothing of this one.
    scene.session("a@h", 2, true);
    assert_eq!(scene.ticks(10), "");
}

#[test]
fn a_later_start_replaces_an_earlier_one_at_once() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.ticks(4);
    scene.hear("a@h", 2, true);
    assert_eq!(scene.ticks(1), "replaced:a@h");
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(40), "");
    // Its clock is an hour behind: it counts when the other is gone.
    scene.hear("a@h", 0, true);
    assert_eq!(scene.ticks(2), "");
    scene.hear("a@h", 2, false);
    assert_eq!(scene.ticks(2), "replaced:a@h");
    let members = scene.view.members(scene.now);
    assert_eq!(members[0].incarnation, Some(incarnation(0)));
    assert!(members[0].age <= 3 * TICK, "{:?}", members[0].age);
}

#[test]
fn two_live_processes_of_one_name_are_told_once() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.ticks(4);
    scene.hear("a@h", 2, true);
    assert_eq!(scene.ticks(ECHO * 2), "replaced:a@h");
    assert_eq!(scene.ticks(100), "contested:a@h");
    // One that was replaced, whose last heartbeats are still passed on.
    scene.hear("b@h", 1, true);
    scene.ticks(100);
    scene.hear("b@h", 2, true);
    assert_eq!(scene.ticks(ECHO), "replaced:b@h");
    scene.hear("b@h", 1, false);
    assert_eq!(scene.ticks(100), "");
    // And this node's own.
    scene.hear("own@h", 200, true);
    assert_eq!(scene.ticks(100), "contested:own@h:own");
    assert_eq!(scene.view.members(scene.now).len(), 3);
}

#[test]
fn a_process_that_was_suspended_listens_before_it_judges() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.ticks(10);
    scene.now += Duration::from_secs(30);
    // Chitchat's detector has not heard it for 30 seconds.
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(4), "");
    scene.hear("a@h", 1, true);
    assert_eq!(scene.ticks(100), "");
    scene.now += Duration::from_secs(30);
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(SETTLING * 2), "");
    assert_eq!(scene.ticks(2), "down:a@h");
}

#[test]
fn those_that_are_down_are_forgotten_and_bounded() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.ticks(2 * NEWCOMER);
    scene.hear("a@h", 1, false);
    assert_eq!(scene.ticks(2), "down:a@h");
    let ticks = 60_000 / TICK.as_millis() as u32;
    assert_eq!(scene.ticks(ticks - 2), "");
    assert_eq!(scene.ticks(2), "forgotten:a@h");
    assert_eq!(scene.state("a@h"), None);

    let names: Vec<&'static str> =
        (0..DOWN + 50).map(|number| &*format!("n{number}@h").leak()).collect();
    for name in &names {
        scene.hear(name, 1, true);
    }
    scene.ticks(2);
    scene.heard.clear();
    scene.ticks(2);
    assert_eq!(scene.view.listed.len(), DOWN);
}

#[test]
fn what_cannot_be_read_is_a_member_with_a_problem() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.heard.get_mut(&("a@h", 1)).expect("it").facts = Some("nonsense".to_owned());
    assert_eq!(scene.ticks(2), "up:a@h");
    let members = scene.view.members(scene.now);
    assert!(members[0].problem.as_deref().expect("a problem").contains("nonsense"));
    assert_eq!((members[0].incarnation, members[0].addresses.len()), (None, 0));
    // Nothing has come of its facts yet.
    scene.hear("b@h", 1, true);
    scene.heard.get_mut(&("b@h", 1)).expect("it").facts = None;
    assert_eq!(scene.ticks(2), "");
}

#[test]
fn phi_grows_with_the_silence() {
    let mut scene = Scene::new();
    scene.hear("a@h", 1, true);
    scene.ticks(40);
    let phi = |scene: &Scene| scene.view.members(scene.now)[0].phi.expect("phi");
    assert!(phi(&scene) < 1.0, "{}", phi(&scene));
    scene.now += Duration::from_secs(3);
    // Ten intervals of 250 ms and five of 1 s: a mean of half a second.
    assert!((5.9..6.1).contains(&phi(&scene)), "{}", phi(&scene));
}
