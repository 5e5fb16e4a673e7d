//! Reads a document token by token before the parser, which is recursive, sees it.
//!
//! One pass over the bytes, no recursion, nothing is kept. Where it takes a text for lexically
//! right, brackets are counted as the parser will meet them: a bracket within a string or a comment
//! is none.

use crate::limits::{MAX_BRACKETS, MAX_DIRECTIVES, MAX_TOKENS};
use domain::Finding;

/// Refuses a document that is too large, too deep or no sequence of tokens (GraphQL specification
/// of October 2021, section 2.1). Returns how many tokens it has; what is no name, number or string
/// counts by the character.
pub fn count_tokens(text: &str) -> Result<usize, Finding> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut brackets, mut directives) = (0, 0, 0_usize, 0);
    while let Some(token) = next_token(bytes, &mut at) {
        tokens += 1;
        match token {
            Token::Open => brackets += 1,
            Token::Close => brackets = brackets.saturating_sub(1),
            Token::At => directives += 1,
            Token::Other => {}
            Token::Broken => return Err(broken()),
        }
        within(tokens, MAX_TOKENS, "QUERY_TOO_LONG", "The document has too many tokens.")?;
        within(brackets, MAX_BRACKETS, "QUERY_TOO_DEEP", "The document nests too deep.")?;
        within(directives, MAX_DIRECTIVES, "QUERY_DIRECTIVES", "Too many directives.")?;
    }
    Ok(tokens)
}

fn within(found: usize, limit: usize, code: &'static str, message: &str) -> Result<(), Finding> {
    if found <= limit {
        return Ok(());
    }
    Err(Finding::new(code, "", message).with("limit", limit))
}

fn broken() -> Finding {
    Finding::new("INVALID_QUERY", "", "The document has a string without an end.")
}

/// What of a token matters here.
enum Token {
    Open,
    Close,
    At,
    Other,
    /// A string that does not end.
    Broken,
}

/// The token at or after `at`, which then lies behind it; `None` at the end.
fn next_token(bytes: &[u8], at: &mut usize) -> Option<Token> {
    skip_ignored(bytes, at);
    let first = *bytes.get(*at)?;
    *at += 1;
    Some(match first {
        b'{' | b'(' | b'[' => Token::Open,
        b'}' | b')' | b']' => Token::Close,
        b'@' => Token::At,
        b'"' if bytes[*at..].starts_with(b"\"\"") => block_string(bytes, at),
        b'"' => string(bytes, at),
        _ if is_word(first) => {
            skip_while(bytes, at, is_word);
            Token::Other
        }
        _ => Token::Other,
    })
}

/// Blanks, line ends, commas, comments and byte order marks.
fn skip_ignored(bytes: &[u8], at: &mut usize) {
    loop {
        match bytes.get(*at) {
            Some(b' ' | b'\t' | b'\n' | b'\r' | b',') => *at += 1,
            Some(b'#') => skip_while(bytes, at, |byte| byte != b'\n' && byte != b'\r'),
            Some(0xef) if bytes[*at..].starts_with(b"\xef\xbb\xbf") => *at += 3,
            _ => return,
        }
    }
}

fn skip_while(bytes: &[u8], at: &mut usize, belongs: impl Fn(u8) -> bool) {
    while bytes.get(*at).is_some_and(|byte| belongs(*byte)) {
        *at += 1;
    }
}

/// Of a name or a number.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The rest of a string, on one line.
fn string(bytes: &[u8], at: &mut usize) -> Token {
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        match byte {
            b'"' => return Token::Other,
            b'\\' => *at += 1,
            b'\n' | b'\r' => return Token::Broken,
            _ => {}
        }
    }
    Token::Broken
}

/// The rest of a block string; within it only `\"""` escapes.
fn block_string(bytes: &[u8], at: &mut usize) -> Token {
    *at += 2;
    while *at < bytes.len() {
        let rest = &bytes[*at..];
        if rest.starts_with(b"\"\"\"") {
            *at += 3;
            return Token::Other;
        }
        *at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
    Token::Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_and_what_is_ignored_is_not() {
        let text =
            "\u{feff}query($a: [Int!]) { b(x: \"é}{\", y: \"\"\"\\\"\"\"{{\"\"\") @c } # {{{\r\n";
        assert_eq!(count_tokens(text), Ok(23));
    }

    #[test]
    fn a_string_without_end_is_told() {
        for text in ["{ a(b: \"", "{ a(b: \"x\n\")}", "{ a(b: \"\"\"x\"\") }", "{ a(b: \"\\"] {
            assert_eq!(count_tokens(text).unwrap_err().code, "INVALID_QUERY", "{text}");
        }
    }

    #[test]
    fn limits_hold_to_the_last_token() {
        let code = |text: &str| count_tokens(text).map_err(|it| it.code);
        assert_eq!(code(&"a ".repeat(MAX_TOKENS)), Ok(MAX_TOKENS));
        assert_eq!(code(&"a ".repeat(MAX_TOKENS + 1)), Err("QUERY_TOO_LONG"));
        assert_eq!(code(&"[".repeat(MAX_BRACKETS)), Ok(MAX_BRACKETS));
        assert_eq!(code(&"{(".repeat(MAX_BRACKETS)), Err("QUERY_TOO_DEEP"));
        assert_eq!(code(&"[]".repeat(MAX_BRACKETS * 2)), Ok(MAX_BRACKETS * 4));
        assert_eq!(code(&"@".repeat(MAX_DIRECTIVES)), Ok(MAX_DIRECTIVES));
        assert_eq!(code(&"@a".repeat(MAX_DIRECTIVES + 1)), Err("QUERY_DIRECTIVES"));
    }
}
