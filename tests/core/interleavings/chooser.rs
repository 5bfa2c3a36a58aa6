//! Walks every path through a program that asks for choices, one run of the program a path.
//!
//! Choice 0 is what usually happens. A path may depart from it so many times; all such paths are walked, depth first, and
//! each is named by its choices, so that one that fails can be walked again.

/// The choices of one path.
#[derive(Debug, Default)]
pub struct Chooser {
    planned: Vec<usize>,
    taken: Vec<(usize, usize)>,
}

impl Chooser {
    /// A path that begins with these choices and goes on with the usual ones.
    pub fn of(planned: Vec<usize>) -> Self {
        Self { planned, taken: Vec::new() }
    }

    /// Chooses one of so many.
    pub fn choose(&mut self, options: usize) -> usize {
        let chosen = self.planned.get(self.taken.len()).copied().unwrap_or(0);
        assert!(chosen < options, "the program did not go the same way again: {:?}", self.planned);
        self.taken.push((chosen, options));
        chosen
    }

    /// The choices that were made, without the usual ones at the end.
    pub fn path(&self) -> Vec<usize> {
        let mut path: Vec<usize> = self.taken.iter().map(|(chosen, _)| *chosen).collect();
        path.truncate(path.iter().rposition(|chosen| *chosen != 0).map_or(0, |last| last + 1));
        path
    }

    /// The next path with at most so many departures, if there is one.
    pub fn next(&self, departures: usize) -> Option<Vec<usize>> {
        let departed = |until: usize| self.taken[..until].iter().filter(|(chosen, _)| *chosen != 0).count();
        let can_go_on = |at: &usize| {
            let (chosen, options) = self.taken[*at];
            chosen + 1 < options && departed(*at) < departures
        };
        let at = (0..self.taken.len()).rev().find(can_go_on)?;
        let kept = self.taken[..at].iter().map(|(chosen, _)| *chosen);
        Some(kept.chain([self.taken[at].0 + 1]).collect())
    }
}

/// Walks all paths with at most so many departures; answers how many there were.
pub fn walk_all(departures: usize, mut walk: impl FnMut(&mut Chooser)) -> usize {
    let (mut next, mut walked) = (Some(Vec::new()), 0);
    while let Some(planned) = next {
        let mut chooser = Chooser::of(planned);
        walk(&mut chooser);
        walked += 1;
        next = chooser.next(departures);
    }
    walked
}

#[test]
fn every_path_is_walked_once() {
    let mut seen = Vec::new();
    let walked = walk_all(3, |chooser| {
        let path = [chooser.choose(2), chooser.choose(3), chooser.choose(2)];
        seen.push(path);
    });
    assert_eq!(walked, 12);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 12);
    let walked = walk_all(1, |chooser| {
        let departed = [chooser.choose(2), chooser.choose(3), chooser.choose(2)];
        assert!(departed.iter().filter(|chosen| **chosen != 0).count() <= 1);
    });
    assert_eq!(walked, 5);
}
