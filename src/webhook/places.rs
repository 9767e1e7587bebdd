//! Places for connections. When all are taken, the one that has kept us waiting longest gives way to the next, so that
//! slow clients, however many, do not keep honest ones out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// All places.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, Sitting>,
}

struct Sitting {
    /// Since when we wait for the client; none: it waits for us.
    waiting: Option<Instant>,
    leave: CancellationToken,
}

/// One connection's place; dropping it frees it.
pub(super) struct Seat {
    places: Arc<Places>,
    id: u64,
    leave: CancellationToken,
}

/// What came of asking for a place.
pub(super) enum Taking {
    /// There was one.
    Free(Seat),
    /// Another connection gave way.
    GaveWay(Seat),
    /// All of them wait for us.
    Full,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), taken: Mutex::default() })
    }

    /// A place for a connection that was just opened.
    pub(super) fn take(self: &Arc<Self>) -> Taking {
        let mut taken = self.taken();
        let is_full = taken.seats.len() >= self.most;
        if is_full && !taken.make_way() {
            return Taking::Full;
        }
        taken.next += 1;
        let (id, leave) = (taken.next, CancellationToken::new());
        taken.seats.insert(id, Sitting { waiting: Some(Instant::now()), leave: leave.clone() });
        let seat = Seat { places: self.clone(), id, leave };
        if is_full { Taking::GaveWay(seat) } else { Taking::Free(seat) }
    }

    /// Lets the connection that has kept us waiting longest go; false if none keeps us waiting.
    pub(super) fn make_way(&self) -> bool {
        self.taken().make_way()
    }

    /// How many are taken.
    pub(super) fn count(&self) -> usize {
        self.taken().seats.len()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn make_way(&mut self) -> bool {
        let waiting = self.seats.iter().filter_map(|(id, sitting)| Some((sitting.waiting?, *id)));
        let longest = waiting.min().and_then(|(_, id)| self.seats.remove(&id));
        longest.map(|sitting| sitting.leave.cancel()).is_some()
    }
}

impl Seat {
    /// From now on we wait for the client.
    pub(super) fn wait(&self) {
        self.set(Some(Instant::now()));
    }

    /// From now on the client waits for us.
    pub(super) fn work(&self) {
        self.set(None);
    }

    /// Waits until another needs the place.
    pub(super) async fn given_away(&self) {
        self.leave.cancelled().await;
    }

    fn set(&self, waiting: Option<Instant>) {
        if let Some(sitting) = self.places.taken().seats.get_mut(&self.id) {
            sitting.waiting = waiting;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.places.taken().seats.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn seat(places: &Arc<Places>) -> Seat {
        tokio::time::advance(Duration::from_secs(1)).await;
        match places.take() {
            Taking::Free(seat) | Taking::GaveWay(seat) => seat,
            Taking::Full => panic!("no place"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_kept_us_waiting_longest_gives_way() {
        let places = Places::new(3);
        let (busy, first, second) = (seat(&places).await, seat(&places).await, seat(&places).await);
        busy.work();
        assert_eq!(places.count(), 3);
        let _third = seat(&places).await;
        assert!(first.leave.is_cancelled() && !second.leave.is_cancelled() && !busy.leave.is_cancelled());
        drop(first);
        assert_eq!(places.count(), 3, "its place is another's already");
        tokio::time::advance(Duration::from_secs(1)).await;
        second.wait();
        let _fourth = seat(&places).await;
        assert!(_third.leave.is_cancelled() && !second.leave.is_cancelled());
    }

    #[tokio::test]
    async fn who_waits_for_us_never_gives_way() {
        let places = Places::new(1);
        let Taking::Free(busy) = places.take() else { panic!("a place is free") };
        busy.work();
        assert!(matches!(places.take(), Taking::Full));
        drop(busy);
        assert!(matches!(places.take(), Taking::Free(_)));
    }
}
