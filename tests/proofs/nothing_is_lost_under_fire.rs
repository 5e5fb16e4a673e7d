//! Whatever is killed, and whenever: what was acknowledged is there, once and whole, in one order,
//! and everybody sees it. `pms serve` in processes of its own on a durable PostgreSQL, 32 people
//! who write over HTTP and write down what they are answered; then everything in the log is held
//! against everything that was said.
//!
//! These are short. `./dev soak kill 200`, `postgres 50`, `history 600`, `nodes 600` are the same
//! with more rounds or seconds.

use crate::soak::{Rig, size};
use std::time::{Duration, Instant};

/// How many people write to a node at the same time.
const WRITERS: usize = 32;

#[tokio::test]
async fn when_pms_is_killed_at_any_moment() {
    let rounds = size(4);
    let mut rig = Rig::start("kill", 1, WRITERS).await;
    for round in 1..=rounds {
        rig.some_time(Duration::ZERO..Duration::from_millis(2500)).await;
        let struck = Instant::now();
        rig.nodes[0].kill().await;
        rig.nodes[0].start();
        if rig.chance(8) {
            rig.some_time(Duration::ZERO..Duration::from_secs(1)).await;
            rig.nodes[0].kill().await; // while it starts
            rig.nodes[0].start();
        }
        rig.comes_back(0, struck, &format!("{round} of {rounds} kills")).await;
    }
    rig.judge().await;
}

#[tokio::test]
async fn when_postgresql_is_stopped_at_once() {
    let rounds = size(2);
    let mut rig = Rig::start("postgres", 1, WRITERS).await;
    for round in 1..=rounds {
        rig.some_time(Duration::ZERO..Duration::from_secs(4)).await;
        let struck = Instant::now();
        rig.postgres.stop_at_once().await;
        rig.comes_back(0, struck, &format!("{round} of {rounds} stops")).await;
    }
    rig.judge().await;
}

/// A restart in good order, a kill, or a stop of PostgreSQL, every now and then.
#[tokio::test]
async fn over_a_long_day_with_restarts() {
    let seconds = size(6);
    let mut rig = Rig::start("history", 1, WRITERS).await;
    let (begin, day) = (Instant::now(), Duration::from_secs(seconds));
    while begin.elapsed() < day {
        rig.some_time(day / 40..(day / 4).min(Duration::from_secs(20))).await;
        let struck = Instant::now();
        match rig.rng.u8(..3) {
            0 => rig.nodes[0].stop().await,
            1 => rig.nodes[0].kill().await,
            _ => rig.postgres.stop_at_once().await,
        }
        if !rig.nodes[0].runs() {
            rig.nodes[0].start();
        }
        let after = format!("{} of {seconds} s", begin.elapsed().as_secs());
        rig.comes_back(0, struck, &after).await;
    }
    rig.judge().await;
}

#[tokio::test]
async fn when_one_of_two_nodes_behind_a_balancer_is_killed_again_and_again() {
    let seconds = size(6);
    let mut rig = Rig::start("nodes", 2, 2 * WRITERS).await;
    let (begin, day) = (Instant::now(), Duration::from_secs(seconds));
    let every = (day / 3).min(Duration::from_secs(10));
    let mut beat = tokio::time::interval(every);
    beat.tick().await; // the first one comes at once
    while begin.elapsed() < day {
        beat.tick().await;
        let (node, struck) = (rig.rng.usize(..2), Instant::now());
        rig.nodes[node].kill().await;
        rig.nodes[node].start();
        let after = format!("{} of {seconds} s", begin.elapsed().as_secs());
        rig.comes_back(node, struck, &after).await;
    }
    rig.judge().await;
}
