//! Which files Meta takes, and how large they may be.

/// A mebibyte; Meta writes «MB».
const MB: usize = 1024 * 1024;

/// Types of files, each with the largest size.
const KINDS: &[(&str, usize)] = &[
    ("image/jpeg", 5 * MB),
    ("image/png", 5 * MB),
    ("audio/aac", 16 * MB),
    ("audio/amr", 16 * MB),
    ("audio/mpeg", 16 * MB),
    ("audio/mp4", 16 * MB),
    ("audio/ogg", 16 * MB),
    ("video/mp4", 16 * MB),
    ("video/3gpp", 16 * MB),
    ("image/webp", 500 * 1024),
    ("text/plain", 100 * MB),
    ("application/pdf", 100 * MB),
    ("application/msword", 100 * MB),
    ("application/vnd.ms-excel", 100 * MB),
    ("application/vnd.ms-powerpoint", 100 * MB),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 * MB),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 * MB),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 * MB),
];

/// The largest upload that is read: the largest file, and room for the form around it.
pub(super) const UPLOAD_BYTES: usize = 101 * MB;

/// Says what is wrong with a file of this type and size, if anything.
pub(super) fn check(mime_type: &str, bytes: usize) -> Result<(), String> {
    // What follows a semicolon, such as `codecs=opus`, does not matter here.
    let plain = mime_type.split(';').next().unwrap_or(mime_type).trim().to_ascii_lowercase();
    let Some((_, most)) = KINDS.iter().find(|(kind, _)| *kind == plain) else {
        let allowed: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
        return Err(format!("Param file must be a file with one of the following types: {}.", allowed.join(", ")));
    };
    if bytes == 0 {
        Err("Param file must not be empty.".to_owned())
    } else if bytes > *most {
        Err(format!("Param file has {bytes} bytes; a file of type {plain} has at most {most}."))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_type_that_is_known_and_a_size_that_is_allowed() {
        assert_eq!(check("image/jpeg", 5 * MB), Ok(()));
        assert_eq!(check("audio/ogg; codecs=opus", 1), Ok(()));
        assert!(check("image/jpeg", 5 * MB + 1).unwrap_err().contains("at most 5242880"));
        assert!(check("image/gif", 1).unwrap_err().contains("image/jpeg, image/png"));
        assert!(check("text/plain", 0).unwrap_err().contains("empty"));
    }
}
