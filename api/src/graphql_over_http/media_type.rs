//! Which media types a client sends and takes (RFC 9110, sections 8.3 and 12.5.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// In what form a client takes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells whether GraphQL was executed.
    GraphqlResponse,
    /// `application/json`, of older clients: the status tells of HTTP alone.
    Json,
}

impl MediaType {
    /// Of what the client accepts the best, the first of equals; `None` when it takes neither.
    /// Without the header it is the first (GraphQL over HTTP, "Legacy watershed"), with `*/*` the
    /// second: that is what clients send that know nothing of it.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut accept = headers.get_all(header::ACCEPT).iter().peekable();
        if accept.peek().is_none() {
            return Some(Self::GraphqlResponse);
        }
        let ranges: Vec<_> = accept.filter_map(|it| it.to_str().ok()).flat_map(ranges).collect();
        let best = ranges.iter().filter(|(_, quality)| *quality > 0).rev();
        let best = best.filter_map(|(range, quality)| Some((Self::of(range)?, range, *quality)));
        let named = |range: &str| !range.ends_with('*');
        best.max_by_key(|(_, range, quality)| (*quality, named(range))).map(|(it, ..)| it)
    }

    fn of(range: &str) -> Option<Self> {
        match range {
            "application/graphql-response+json" => Some(Self::GraphqlResponse),
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            _ => None,
        }
    }

    /// As it stands in an answer.
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Whether a client names this media type among those that it takes.
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    accept.flat_map(ranges).any(|(range, quality)| range == media_type && quality > 0)
}

/// Whether the body is JSON in UTF-8. Nothing that a page can send without asking first is
/// (Fetch standard, "CORS-safelisted request-header").
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    let Some(content_type) = value(header::CONTENT_TYPE) else { return false };
    let mut parts = content_type.split(';').map(|it| it.trim().to_ascii_lowercase());
    let is_plain = value(header::CONTENT_ENCODING).is_none_or(|it| it == "identity");
    let is_utf8 = |part: String| match part.strip_prefix("charset=") {
        Some(charset) => charset.trim_matches('"') == "utf-8",
        None => true,
    };
    is_plain && parts.next().as_deref() == Some("application/json") && parts.all(is_utf8)
}

/// The media ranges of an `Accept`, each with its quality in thousandths.
fn ranges(accept: &str) -> impl Iterator<Item = (String, u32)> {
    accept.split(',').map(|range| {
        let mut parts = range.split(';').map(|it| it.trim().to_ascii_lowercase());
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|it| it.strip_prefix("q=").and_then(thousandths));
        (name, quality.unwrap_or(1000))
    })
}

fn thousandths(quality: &str) -> Option<u32> {
    let quality: f32 = quality.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_best_of_what_is_accepted_is_answered() {
        let accepted = |value| MediaType::accepted(&headers(header::ACCEPT, value));
        let (new, old) = (Some(MediaType::GraphqlResponse), Some(MediaType::Json));
        assert_eq!(MediaType::accepted(&HeaderMap::new()), new);
        assert_eq!(accepted("*/*"), old);
        assert_eq!(accepted("application/json"), old);
        assert_eq!(accepted("application/*;q=0.1"), old);
        assert_eq!(accepted("application/graphql-response+json; charset=utf-8, */*"), new);
        assert_eq!(accepted("application/graphql-response+json, application/json;q=0.9"), new);
        assert_eq!(accepted("application/json, application/graphql-response+json"), old);
        assert_eq!(
            accepted("Application/JSON;q=0.5, application/graphql-response+json;q=0.4"),
            old
        );
        assert_eq!(accepted("application/json;q=0, text/html"), None);
        assert_eq!(accepted("text/html"), None);
        assert_eq!(accepted(""), None);
    }

    #[test]
    fn only_json_in_utf_8_is_read() {
        let is_json = |value| super::is_json(&headers(header::CONTENT_TYPE, value));
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON; Charset=\"UTF-8\""));
        assert!(!is_json("application/json; charset=utf-16"));
        assert!(!is_json("application/jsonp"));
        assert!(!is_json("multipart/form-data; boundary=x"));
        assert!(!super::is_json(&HeaderMap::new()));
    }
}
