//! What people and the world do to a run.

use std::num::NonZeroU32;

use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::job::Category;
use crate::outcome::Reason;
use crate::worker::index::NumberIdx;
use crate::worker::pacer::Limit;

use super::plan::Stroke;
use super::world::World;

impl World {
    pub(super) fn strike(&mut self, stroke: Stroke) {
        let wall = self.clock().wall;
        let order = |cover| HoldOrder {
            cover,
            effect: Effect::Wait,
            reason: Reason::Operator,
            who: "cli:anna".to_owned(),
            until: None,
            probe: false,
        };
        match stroke {
            Stroke::HoldEverything => {
                self.fold.place_hold(&order(Cover::of(Scope::Everything, "")), wall);
            }
            Stroke::HoldMarketing(waba) => {
                let cover = Cover::of(Scope::Waba, format!("waba{waba}")).category(Category::Marketing);
                self.fold.place_hold(&order(cover), wall);
            }
            Stroke::LiftHolds => {
                let placed: Vec<_> =
                    self.fold.holds.values().filter(|hold| hold.who == "cli:anna").map(|hold| hold.id).collect();
                placed.into_iter().for_each(|hold| self.fold.lift(hold));
            }
            Stroke::StopWorker(slot) => {
                let now = self.clock();
                if let Some(shell) = self.slots[slot].shell.as_mut() {
                    shell.stop(now);
                }
            }
            Stroke::FreezeWorker(slot, lasts) => self.slots[slot].frozen_until = self.now + lasts,
            Stroke::Halve(number) => self.retune(number, 2),
            Stroke::Restore(number) => self.retune(number, 1),
            Stroke::Join(number) => self.list(number),
        }
        self.tell_all(true);
    }

    fn retune(&mut self, number: usize, part: u32) {
        let count = NonZeroU32::new((self.plan.numbers[number].per_second / part).max(1)).expect("not zero");
        let now = self.clock();
        for shell in self.slots.iter_mut().filter_map(|slot| slot.shell.as_mut()) {
            let idx: NumberIdx = shell.core.scheduler.indices().nth(number).expect("every worker knows every number");
            shell.core.retune(idx, Limit::per_second(count), now.mono);
        }
    }
}
