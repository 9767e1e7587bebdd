//! Media: image, video, audio, document and sticker, as messages and in headers.

use super::{Field, Problem};

/// What may stand beside the media itself.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

impl Kind {
    const fn has_caption(self) -> bool {
        match self {
            Self::Image | Self::Video | Self::Document => true,
            Self::Audio | Self::Sticker => false,
        }
    }

    const fn has_filename(self) -> bool {
        match self {
            Self::Document => true,
            Self::Image | Self::Video | Self::Audio | Self::Sticker => false,
        }
    }
}

pub(super) fn check(media: &Field<'_, '_>, kind: Kind) -> Result<(), Problem> {
    source(media)?;
    match media.get("caption") {
        Some(caption) if kind.has_caption() => drop(caption.at_most(1_024)?),
        Some(caption) => return Err(caption.refuse("not allowed here, only with image, video and document")),
        None => {}
    }
    match media.get("filename") {
        Some(filename) if kind.has_filename() => filename.text().map(drop),
        Some(filename) => Err(filename.refuse("not allowed here, only with document")),
        None => Ok(()),
    }
}

fn source(media: &Field<'_, '_>) -> Result<(), Problem> {
    media.object()?;
    match (media.get("id"), media.get("link")) {
        (Some(id), None) => id.filled(usize::MAX).map(drop),
        (None, Some(link)) => web_address(&link),
        (Some(_), Some(_)) => Err(media.refuse("both id and link, only one is allowed")),
        (None, None) => Err(media.refuse("neither id nor link, one is needed")),
    }
}

/// Meta fetches it, so it must be one that Meta can fetch.
fn web_address(link: &Field<'_, '_>) -> Result<(), Problem> {
    let text = link.text()?;
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") {
        Ok(())
    } else {
        Err(link.refuse("must begin with https:// or http://"))
    }
}
