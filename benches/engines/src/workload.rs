//! What is measured: durable commits of many writers, point reads, ordered pages.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use crate::engines::{Engine, Record};
use crate::usage::Usage;

/// Small deterministic generator: the runs of all engines see the same keys.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Bytes that do not compress, as sealed bytes do not.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// The key of record `number`: spread over the key space, shaped like an object key in a bucket.
pub fn record_key(number: u64) -> Vec<u8> {
    format!("\u{1}bucket-0123456/{:016x}/photo", Random(number).next()).into_bytes()
}

type Request = (Record, SyncSender<Result<(), String>>);

/// Commits all that is queued with one durable transaction, again and again, until the queue closes.
fn group_commit(engine: &dyn Engine, queue: &Receiver<Request>) -> usize {
    let mut groups = 0;
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(1023));
        let (records, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcome = engine.commit(&records);
        answers.into_iter().for_each(|answer| drop(answer.send(outcome.clone())));
        groups += 1;
    }
    groups
}

/// Durable commits by `writers` threads for `duration`; prints the rate.
pub fn commits(engine: &Arc<dyn Engine>, writers: u64, value_len: usize, duration: Duration) {
    let (queue, requests): (Sender<Request>, _) = channel();
    let stop = AtomicBool::new(false);
    let before = Usage::now();
    let started = Instant::now();
    let (mut latencies, groups) = std::thread::scope(|scope| {
        let committer = scope.spawn(move || group_commit(engine.as_ref(), &requests));
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let (queue, stop) = (queue.clone(), &stop);
                scope.spawn(move || {
                    let mut random = Random(writer << 32 | started.elapsed().subsec_nanos() as u64);
                    let mut latencies = Vec::new();
                    let (answer, answered) = sync_channel(1);
                    while !stop.load(Ordering::Relaxed) {
                        let record = (record_key(random.next()), random.bytes(value_len));
                        let sent = Instant::now();
                        queue.send((record, answer.clone())).unwrap();
                        answered.recv().unwrap().unwrap();
                        latencies.push(sent.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        std::thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
        let latencies: Vec<Duration> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        drop(queue);
        (latencies, committer.join().unwrap())
    });
    let seconds = started.elapsed().as_secs_f64();
    let used = Usage::now().since(&before);
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    let count = latencies.len() as f64;
    println!(
        "commit {value_len} B, {writers} writers: {:.0}/s, {:.1} a group, p50 {:.2} ms, p99 {:.2} ms, max {:.0} ms, CPU {:.3} ms each, written {:.1} KiB each, RSS {} MiB",
        count / seconds,
        count / groups as f64,
        at(0.5),
        at(0.99),
        at(0.999_999),
        used.cpu_ms / count,
        used.written as f64 / 1024.0 / count,
        Usage::resident_mib(),
    );
}

/// Writes records `0..count`, 1,000 a commit.
pub fn load(engine: &dyn Engine, count: u64, value_len: usize) {
    let started = Instant::now();
    let mut random = Random(7);
    for first in (0..count).step_by(1000) {
        let group: Vec<_> = (first..first + 1000).map(|n| (record_key(n), random.bytes(value_len))).collect();
        engine.commit(&group).unwrap();
    }
    println!("load {count}: {:.1} s, RSS {} MiB", started.elapsed().as_secs_f64(), Usage::resident_mib());
}

/// Point reads of loaded records by `threads` threads.
pub fn gets(engine: &Arc<dyn Engine>, threads: u64, count: u64, duration: Duration) {
    let rate = repeat(threads, duration, |random| {
        let value = engine.get(&record_key(random.next() % count)).unwrap();
        assert!(value.is_some());
    });
    println!("get, {threads} threads: {rate:.0}/s, RSS {} MiB", Usage::resident_mib());
}

/// Pages of 1,000 records from a random place by `threads` threads.
pub fn scans(engine: &Arc<dyn Engine>, threads: u64, count: u64, duration: Duration) {
    let rate = repeat(threads, duration, |random| {
        engine.scan(&record_key(random.next() % count), 1000).unwrap();
    });
    println!("scan of 1,000, {threads} threads: {rate:.0}/s, RSS {} MiB", Usage::resident_mib());
}

fn repeat(threads: u64, duration: Duration, call: impl Fn(&mut Random) + Sync) -> f64 {
    let started = Instant::now();
    let calls: u64 = std::thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut random = Random(thread);
                    let mut calls = 0;
                    while started.elapsed() < duration {
                        call(&mut random);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    calls as f64 / started.elapsed().as_secs_f64()
}
