//! How soon a killed run is made good: the next run of the schedule does it, whatever was the last thing that was done.

use super::*;

/// A run that lets so many calls through and is killed before the next one; answers that one, or none where it ended.
fn killed_after(outside: &Arc<Mutex<Outside>>, calls: usize) -> Option<&'static str> {
    let ports = Ports::new(outside);
    let brakes = Brakes::new(ports.moment(), DEADLINE);
    let (world, monitor) = (world(&ports), monitor(&ports, &brakes, "p1/1"));
    let mut run: Option<Running<'_>> = Some(Box::pin(monitor.run(&world)));
    poll(&mut run);
    for _ in 0..calls {
        run.as_ref()?;
        ports.let_through(Ending::Done);
        poll(&mut run);
    }
    run.and_then(|_| ports.waiting()).map(|(what, _)| what)
}

/// Answers how many places there were.
fn killed_everywhere(story: Story) -> usize {
    for calls in 0.. {
        let outside = Arc::new(Mutex::new(story.begin()));
        let began = outside.lock().unwrap().now;
        let Some(what) = killed_after(&outside, calls) else { return calls };
        let done = |outside: &Outside| (outside.changes.clone(), outside.posted.clone());
        let before = done(&outside.lock().unwrap());

        // The last moment of the lease, which begins with the run at the earliest.
        outside.lock().unwrap().now = began + LEASE - SignedDuration::from_secs(1);
        if what != "acquire" {
            quiet_run(&outside, "p2/1");
            assert_eq!(
                done(&outside.lock().unwrap()),
                before,
                "{story:?}, killed before {what}: the lease held"
            );
        }
        outside.lock().unwrap().now = began + INTERVAL;
        quiet_run(&outside, "p2/2");
        let outside = outside.lock().unwrap();
        let broken = promises(story, &outside);
        assert!(broken.is_empty(), "{story:?}, killed before {what}: {broken:#?}");
    }
    unreachable!("a run ends")
}

#[test]
fn the_next_run_of_the_schedule_makes_good_what_a_killed_one_left() {
    for story in [Story::Bad, Story::Good] {
        let places = killed_everywhere(story);
        assert!(places > 10, "{places} places");
        println!("{story:?}: killed at {places} places");
    }
}
