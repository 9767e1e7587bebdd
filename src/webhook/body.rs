//! Reads a body within its bounds: of its own size, of all bodies in memory, of time, of pace.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Limits;
use crate::metrics::WebhookResult;

/// Space is counted in these, so that a large one fits a semaphore.
const UNIT: usize = 1 << 10;

/// Space for bodies in memory; full, it refuses.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A body, and the space it takes until it is dropped.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) claim: Claim,
}

/// A part of a [`Room`].
#[derive(Default)]
pub(super) struct Claim(Option<OwnedSemaphorePermit>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// Lets a claim be as large as these many bytes; false if there is no space.
    pub(super) fn grow(&self, claim: &mut Claim, bytes: usize) -> bool {
        let held = claim.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacking = bytes.div_ceil(UNIT).saturating_sub(held);
        let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
        let Ok(more) = self.0.clone().try_acquire_many_owned(lacking) else { return false };
        match &mut claim.0 {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        true
    }
}

/// The whole body; otherwise how the request ends. Dropping this loses what has come.
pub(super) async fn read(mut body: Incoming, limits: &Limits, room: &Room) -> Result<Received, WebhookResult> {
    let began = Instant::now();
    let mut received = Received { bytes: Vec::new(), claim: Claim::default() };
    loop {
        let due = began + limits.patience(received.bytes.len());
        let data = match timeout_at(due, body.frame()).await {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => return Err(WebhookResult::Broken),
            Ok(None) => return Ok(received),
            Err(_) => return Err(WebhookResult::TooSlow),
        };
        let length = received.bytes.len() + data.len();
        if length > limits.largest_body {
            return Err(WebhookResult::TooLarge);
        }
        if !room.grow(&mut received.claim, length) {
            return Err(WebhookResult::Full);
        }
        received.bytes.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_given_while_there_is_some_and_comes_back() {
        let room = Room::new(4 * UNIT);
        let (mut one, mut other) = (Claim::default(), Claim::default());
        assert!(room.grow(&mut one, 10) && room.grow(&mut one, UNIT) && room.grow(&mut one, 3 * UNIT));
        assert!(room.grow(&mut other, 1) && !room.grow(&mut other, UNIT + 1));
        drop(one);
        assert!(room.grow(&mut other, 4 * UNIT));
    }
}
