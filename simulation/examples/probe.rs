//! probe
use std::time::Duration;
use mycelium_simulation::Simulation;
fn main() {
    let mut s = Simulation::new(1);
    s.host("a", |_| async { Ok(()) });
    s.host("b", |h| async move { h.keep_connected("a"); Ok(()) });
    s.run_for(Duration::from_millis(600)).unwrap();
    println!("{}", s.trace());
    println!("{:?}", ractor_cluster::link::refusals());
}
