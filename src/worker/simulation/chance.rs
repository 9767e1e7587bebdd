//! What is left to chance: one seeded generator, and the places at which a worker may be killed.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A place between two steps of a worker, where a `kill -9` may fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Claimed,
    Picked,
    Asked,
    Admitted,
    Permitted,
    Written,
    Answered,
    Settling,
    Settled,
    Renewed,
}

impl Point {
    const ALL: [Self; 10] = [
        Self::Claimed,
        Self::Picked,
        Self::Asked,
        Self::Admitted,
        Self::Permitted,
        Self::Written,
        Self::Answered,
        Self::Settling,
        Self::Settled,
        Self::Renewed,
    ];

    /// How often it is passed, roughly, compared with the others: kills shall fall everywhere alike.
    fn often(self, apart: u32) -> u32 {
        match self {
            // As often as before, however many numbers there are.
            Self::Renewed => 4 * apart.min(4),
            Self::Claimed => 4 * apart,
            Self::Asked | Self::Settling | Self::Settled => 40 * apart,
            Self::Picked | Self::Admitted | Self::Permitted | Self::Written | Self::Answered => 120 * apart,
        }
    }
}

/// The worker is dead: whatever it had in memory is gone.
#[derive(Debug)]
pub(super) struct Died(pub Point);

/// The one source of chance of a run.
pub(super) struct Chance {
    pub rng: SmallRng,
    /// Where the next kill falls, and after how many visits.
    next_kill: Option<(Point, u32)>,
    kills_left: u32,
    kills_apart: u32,
}

impl Chance {
    pub(super) fn new(seed: u64, kills: u32, kills_apart: u32) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        let mut chance = Self { rng, next_kill: None, kills_left: kills, kills_apart };
        chance.draw_kill();
        chance
    }

    fn draw_kill(&mut self) {
        self.next_kill = self.kills_left.checked_sub(1).map(|left| {
            self.kills_left = left;
            let point = Point::ALL[self.rng.random_range(0..Point::ALL.len())];
            (point, self.rng.random_range(1..=point.often(self.kills_apart)))
        });
    }

    /// A worker comes by this place; perhaps it gets no further.
    pub(super) fn pass(&mut self, point: Point) -> Result<(), Died> {
        let Some((fatal, visits)) = &mut self.next_kill else { return Ok(()) };
        if *fatal != point {
            return Ok(());
        }
        *visits -= 1;
        if *visits > 0 {
            return Ok(());
        }
        self.draw_kill();
        Err(Died(point))
    }

    /// No more kills from here on.
    pub(super) fn spare(&mut self) {
        self.kills_left = 0;
        self.next_kill = None;
    }

    pub(super) fn one_in(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability)
    }

    pub(super) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        if from >= to { from } else { self.rng.random_range(from..to) }
    }
}
