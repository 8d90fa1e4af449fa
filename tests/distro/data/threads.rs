// Threads, channels, locks, a panic that is caught, and iterators.
use std::collections::{BTreeMap, HashMap};
use std::process::{exit, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() {
    let (send, receive) = mpsc::channel();
    let map = Arc::new(Mutex::new(HashMap::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..16u64)
        .map(|i| {
            let (send, map, count) = (send.clone(), map.clone(), count.clone());
            thread::spawn(move || {
                for k in 0..5000u64 {
                    count.fetch_add(1, Ordering::SeqCst);
                    *map.lock().unwrap().entry(k % 10).or_insert(0u64) += i;
                }
                send.send(i * i).unwrap();
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    drop(send);
    println!("{} {}", receive.iter().sum::<u64>(), count.load(Ordering::SeqCst));
    println!("{:?}", map.lock().unwrap().iter().collect::<BTreeMap<_, _>>());
    let caught = thread::spawn(|| {
        let v: Vec<i32> = Vec::new();
        v[std::env::args().count()]
    })
    .join();
    println!("panicked: {}", caught.is_err());
    let squares: u64 = (1..=1000u64).filter(|n| n % 7 == 3).map(|n| n * n).sum();
    println!("{} {:?} {}", squares, "a,b,,c".split(',').collect::<Vec<_>>(), 0.1f64 + 0.2);
    let out = Command::new("echo").arg("child").output().unwrap();
    print!("{}", String::from_utf8_lossy(&out.stdout));
    exit(5);
}
