//! What stands before several nodes: it passes TCP connections on, in turn, and knows nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Starts a balancer before nodes on these ports: its address.
pub async fn start(nodes: Vec<u16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (nodes, turn) = (Arc::new(nodes), AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let first = turn.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(pass(client, nodes.clone(), first));
        }
    });
    url
}

/// To the node whose turn it is, or else to the next one that takes the connection. Where none
/// does, the client's is closed.
async fn pass(mut client: TcpStream, nodes: Arc<Vec<u16>>, first: usize) {
    for turn in first..first + nodes.len() {
        let node = ("127.0.0.1", nodes[turn % nodes.len()]);
        if let Ok(mut server) = TcpStream::connect(node).await {
            drop(copy_bidirectional(&mut client, &mut server).await); // either may go at any moment
            return;
        }
    }
}
