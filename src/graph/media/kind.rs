//! Which files WhatsApp takes, and how large they may be: checked before an upload costs a request.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media>, read
//! 2026-09-11. Meta writes «MB» and does not say which; the larger one is let pass, and Meta has the last word.

use super::MediaError;

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
/// A sticker that does not move.
const STILL_STICKER: u64 = 100 * KB;
/// How many of a file's first bytes tell whether a sticker moves.
pub(super) const HEAD: usize = 21;

/// No file has more bytes.
pub const LARGEST: u64 = 100 * MB;

struct Kind {
    mime_type: &'static str,
    /// How names of such files end; the first is the one we give.
    endings: &'static [&'static str],
    most: u64,
}

const fn kind(mime_type: &'static str, endings: &'static [&'static str], most: u64) -> Kind {
    Kind { mime_type, endings, most }
}

const STICKER: &str = "image/webp";

const KINDS: &[Kind] = &[
    kind("image/jpeg", &["jpg", "jpeg"], 5 * MB),
    kind("image/png", &["png"], 5 * MB),
    kind(STICKER, &["webp"], 500 * KB),
    kind("audio/aac", &["aac"], 16 * MB),
    kind("audio/amr", &["amr"], 16 * MB),
    kind("audio/mpeg", &["mp3"], 16 * MB),
    kind("audio/mp4", &["m4a"], 16 * MB),
    kind("audio/ogg", &["ogg", "oga", "opus"], 16 * MB),
    kind("video/mp4", &["mp4"], 16 * MB),
    kind("video/3gpp", &["3gp", "3gpp"], 16 * MB),
    kind("text/plain", &["txt"], LARGEST),
    kind("application/pdf", &["pdf"], LARGEST),
    kind("application/msword", &["doc"], LARGEST),
    kind("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"], LARGEST),
    kind("application/vnd.ms-excel", &["xls"], LARGEST),
    kind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"], LARGEST),
    kind("application/vnd.ms-powerpoint", &["ppt"], LARGEST),
    kind("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"], LARGEST),
];

/// The type of a file of this name, if WhatsApp takes such files.
pub fn mime_type_of(filename: &str) -> Option<&'static str> {
    let (_, ending) = filename.rsplit_once('.')?;
    let kind = KINDS.iter().find(|kind| kind.endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))?;
    Some(kind.mime_type)
}

/// How names of files of this type end, without the dot.
pub fn ending_of(mime_type: &str) -> Option<&'static str> {
    find(mime_type).map(|kind| kind.endings[0])
}

/// What WhatsApp takes, for who gave it something else.
pub(super) fn all() -> String {
    KINDS.iter().map(|kind| kind.mime_type).collect::<Vec<_>>().join(", ")
}

/// Whether a file of this type may have so many bytes.
pub(super) fn check(mime_type: &str, size: u64) -> Result<(), MediaError> {
    let kind = find(mime_type).ok_or_else(|| MediaError::TypeRefused { given: mime_type.to_owned() })?;
    if size == 0 {
        return Err(MediaError::Empty);
    }
    at_most(mime_type, size, kind.most)
}

/// The same, by what the file begins with: a sticker that does not move has to be smaller.
pub(super) fn check_head(mime_type: &str, size: u64, head: &[u8]) -> Result<(), MediaError> {
    let is_still = find(mime_type).is_some_and(|kind| kind.mime_type == STICKER) && !moves(head);
    if is_still { at_most(mime_type, size, STILL_STICKER) } else { Ok(()) }
}

fn at_most(mime_type: &str, size: u64, most: u64) -> Result<(), MediaError> {
    if size > most { Err(MediaError::TooLarge { mime_type: mime_type.to_owned(), size, most }) } else { Ok(()) }
}

fn find(mime_type: &str) -> Option<&'static Kind> {
    // `audio/ogg; codecs=opus` is an `audio/ogg`.
    let plain = mime_type.split(';').next().unwrap_or(mime_type).trim();
    KINDS.iter().find(|kind| kind.mime_type.eq_ignore_ascii_case(plain))
}

/// The flag of an extended WebP file that says that it has frames
/// (<https://developers.google.com/speed/webp/docs/riff_container>).
fn moves(head: &[u8]) -> bool {
    const ANIMATION: u8 = 0b10;
    head.get(8..16) == Some(b"WEBPVP8X") && head.get(20).is_some_and(|flags| flags & ANIMATION != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_the_end_of_a_name() {
        for (name, expected) in [
            ("a.JPG", Some("image/jpeg")),
            ("invoice.2026.pdf", Some("application/pdf")),
            ("voice.opus", Some("audio/ogg")),
            ("a.gif", None),
            ("jpg", None),
            ("", None),
        ] {
            assert_eq!(mime_type_of(name), expected, "{name}");
        }
        assert_eq!(ending_of("audio/ogg; codecs=opus"), Some("ogg"));
        assert_eq!(ending_of("IMAGE/JPEG"), Some("jpg"));
        assert_eq!(ending_of("image/gif"), None);
    }

    #[test]
    fn each_type_has_its_own_size() {
        for (mime_type, most) in [
            ("image/jpeg", 5 << 20),
            ("audio/ogg; codecs=opus", 16 << 20),
            ("video/mp4", 16 << 20),
            ("text/plain", LARGEST),
        ] {
            assert!(check(mime_type, most).is_ok(), "{mime_type}");
            let refused = check(mime_type, most + 1).expect_err("too large");
            assert!(matches!(refused, MediaError::TooLarge { most: said, .. } if said == most), "{mime_type}");
        }
        assert!(matches!(check("text/plain", 0), Err(MediaError::Empty)));
        let refused = check("image/gif", 1).expect_err("no such type").to_string();
        assert!(refused.starts_with("WhatsApp takes no files of type image/gif; it takes image/jpeg, "), "{refused}");
    }

    #[test]
    fn a_sticker_that_moves_may_be_larger() {
        let mut head = *b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0";
        assert!(check_head("image/webp", 101 << 10, &head).is_err());
        head[20] = 0b10;
        assert!(check_head("image/webp", 101 << 10, &head).is_ok());
        assert!(check_head("image/webp", 100 << 10, b"RIFF").is_ok());
        assert!(check_head("image/png", 101 << 10, b"").is_ok());
        assert!(check("image/webp", (500 << 10) + 1).is_err());
    }
}
