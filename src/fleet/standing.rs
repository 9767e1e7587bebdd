//! What Meta's fields of a number mean for how much it gets.

use crate::config::QualityConfig;
use crate::worker::number::Standing;

/// Statuses under which a number gets nothing. Any other, also one we don't know, may send.
const BARRED: [&str; 6] = ["FLAGGED", "RESTRICTED", "BANNED", "DISCONNECTED", "DELETED", "MIGRATED"];

/// A number's share, from its `status` and `quality_rating`.
pub fn standing(status: &str, quality: &str, weights: &QualityConfig) -> Standing {
    let weight = match quality {
        "GREEN" => weights.green,
        "YELLOW" => weights.yellow,
        "RED" => weights.red,
        _ => weights.unknown,
    };
    Standing { may_send: !BARRED.contains(&status), weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_gives_the_share_and_status_may_take_it_all() {
        let weights = QualityConfig { green: 1.0, unknown: 0.5, yellow: 0.5, red: 0.1 };
        assert_eq!(standing("CONNECTED", "GREEN", &weights), Standing { may_send: true, weight: 1.0 });
        assert_eq!(standing("CONNECTED", "NA", &weights).weight, 0.5);
        assert_eq!(standing("", "RED", &weights), Standing { may_send: true, weight: 0.1 });
        for barred in BARRED {
            assert!(!standing(barred, "GREEN", &weights).may_send, "{barred}");
        }
    }
}
