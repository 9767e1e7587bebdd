//! Reads a `multipart/form-data` body that has come whole (RFC 7578).

use bytes::Bytes;

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

/// The fields of a form, or what is wrong with it.
pub(super) fn fields(content_type: &str, body: &Bytes) -> Result<Vec<Field>, &'static str> {
    let boundary = boundary(content_type).ok_or("the content type must be multipart/form-data with a boundary")?;
    // With a line end in front, every boundary looks the same; the first one may lack it.
    let separator = format!("\r\n--{boundary}");
    let first = &separator[2..];
    let mut at = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, separator.as_bytes(), 0).ok_or("the form has no part")? + separator.len()
    };
    let mut fields = Vec::new();
    while !body[at..].starts_with(b"--") {
        let head = find(body, b"\r\n", at).ok_or("the form ends in a boundary")?;
        let content = find(body, b"\r\n\r\n", head).ok_or("a part of the form has no end of its head")? + 4;
        let end = find(body, separator.as_bytes(), content - 2).ok_or("the form's last boundary is missing")?;
        // An empty part's boundary begins with the end of its head.
        fields.push(field(&body[head..content], body.slice(content.min(end)..end))?);
        at = end + separator.len();
    }
    Ok(fields)
}

fn field(head: &[u8], body: Bytes) -> Result<Field, &'static str> {
    let head = std::str::from_utf8(head).map_err(|_| "a part's head is no text")?;
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(name, value)| name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim()))
    };
    let disposition = header("content-disposition").ok_or("a part has no Content-Disposition")?;
    let name = parameter(disposition, "name").ok_or("a part has no name")?;
    Ok(Field { name: name.to_owned(), content_type: header("content-type").map(str::to_owned), body })
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, _) = content_type.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    parameter(content_type, "boundary").filter(|boundary| is_form && !boundary.is_empty())
}

/// The parameter of a header's value, without its quotes.
fn parameter<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
    })
}

/// Where `wanted`, which begins with a carriage return, stands in `body` from `from` on.
fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += body.get(at..)?.iter().position(|byte| *byte == b'\r')?;
        if body[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &'static str) -> Result<Vec<Field>, &'static str> {
        fields("multipart/form-data; boundary=\"xYz\"", &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn a_form_is_read_field_by_field() {
        let read = read(
            "--xYz\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
             --xYz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a; b.png\"\r\nContent-Type: image/png\r\n\
             \r\n\r\nline\r\n--xY\r\n\r\n--xYz\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--xYz--\r\n",
        );
        let field = |name: &str, content_type: Option<&str>, body: &'static str| Field {
            name: name.to_owned(),
            content_type: content_type.map(str::to_owned),
            body: Bytes::from_static(body.as_bytes()),
        };
        let expected = [
            field("messaging_product", None, "whatsapp"),
            field("file", Some("image/png"), "\r\nline\r\n--xY\r\n"),
            field("empty", None, ""),
        ];
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in
            ["", "--xYz", "--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "--xYz\r\n\r\n\r\n--xYz--"]
        {
            assert!(read(body).is_err(), "{body}");
        }
        let whole = Bytes::from_static(b"--x--");
        assert!(fields("application/json; boundary=x", &whole).is_err());
        assert_eq!(fields("multipart/form-data; boundary=x", &whole), Ok(Vec::new()));
    }
}
