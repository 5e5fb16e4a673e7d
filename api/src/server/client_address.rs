//! Where a request comes from.

use axum::http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// The address of the client: that of the peer or, where the peer is a trusted proxy, the last one
/// in `X-Forwarded-For` that is none. What stands before it may be anybody's invention.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let told = headers.get_all("x-forwarded-for").iter().filter_map(|it| it.to_str().ok());
    let hops: Vec<&str> = told.flat_map(|it| it.split(',')).map(str::trim).collect();
    let mut client = peer.to_canonical();
    for hop in hops.into_iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(hop) if is_trusted(&client) => client = hop.to_canonical(),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_what_it_has_seen_itself() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let from = |peer: &str, forwarded: &str| {
            let headers = HeaderMap::from_iter([(
                "x-forwarded-for".parse().unwrap(),
                forwarded.parse().unwrap(),
            )]);
            client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
        };
        assert_eq!(from("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(from("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(from("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(from("10.0.0.1", "203.0.113.9, nonsense"), "10.0.0.1");
        assert_eq!(from("::ffff:10.0.0.1", "2001:db8::1"), "2001:db8::1");
    }
}
