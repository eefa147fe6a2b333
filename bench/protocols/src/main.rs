//! RESP and NATS on asyncnet beside the crates `redis` and `async-nats`, on tokio, against the same real servers: the same
//! work in turns. It prints the ratio of the medians of the times, and that of the least CPU times of this process, which
//! other programs on the machine disturb less. Above 1, asyncnet is the faster.
//!
//! `asyncnet-bench-protocols REDIS-ADDRESS NATS-ADDRESS [ROUNDS [NAME]]`; with a name, only the races that have it in theirs.

#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../../../examples/nats/main.rs"]
mod nats;
#[allow(dead_code, reason = "its `main` does not run here")]
#[path = "../../../examples/resp/main.rs"]
mod resp;

use std::error::Error;
use std::time::Instant;

use asyncnet_tokio::connect_with;
use asyncnet_tokio::net::ConnectOptions;
use futures_lite::StreamExt as _;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Tasks that each ask and wait for the answer, on one connection.
const CALLERS: usize = 64;
/// What each of them asks.
const CALLS: usize = 2_000;
/// Commands of one task, all in flight at once.
const IN_FLIGHT: usize = 100_000;
/// Messages of 16 bytes that are published.
const MESSAGES: usize = 500_000;

const PAYLOAD: &[u8] = b"0123456789abcdef";

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: asyncnet-bench-protocols REDIS-ADDRESS NATS-ADDRESS [ROUNDS [NAME]]";
    let (redis, nats) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let rounds = arguments.next().map_or(Ok(7), |rounds| rounds.parse())?;
    let chosen = arguments.next().unwrap_or_default();
    println!(
        "{:<24} {:>11} {:>11} {:>7} {:>14}   CPU",
        "", "asyncnet/s", "peer/s", "ratio", "spread"
    );
    race(
        "resp: 64 tasks ask",
        &chosen,
        rounds,
        CALLERS * CALLS,
        async || our_callers(&redis).await,
        async || redis_callers(&redis).await,
    )
    .await?;
    race(
        "resp: 100000 in flight",
        &chosen,
        rounds,
        IN_FLIGHT,
        async || our_pipeline(&redis).await,
        async || redis_pipeline(&redis).await,
    )
    .await?;
    race(
        "nats: publish",
        &chosen,
        rounds,
        MESSAGES,
        async || our_publisher(&nats).await,
        async || nats_publisher(&nats).await,
    )
    .await
}

/// Runs both in turns, and prints how many a second each did, in the median, and the ratios.
async fn race(
    name: &str,
    chosen: &str,
    rounds: usize,
    n: usize,
    ours: impl AsyncFn() -> Outcome<()>,
    theirs: impl AsyncFn() -> Outcome<()>,
) -> Outcome<()> {
    if !name.contains(chosen) {
        return Ok(());
    }
    let (mut our_times, mut ratios, mut their_times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut our_least, mut their_least) = (f64::INFINITY, f64::INFINITY);
    for round in 0..=rounds {
        let (our_time, our_cpu) = measured(ours()).await?;
        let (their_time, their_cpu) = measured(theirs()).await?;
        // The first round warms up.
        if round > 0 {
            our_times.push(our_time);
            their_times.push(their_time);
            ratios.push(their_time / our_time);
            (our_least, their_least) = (our_least.min(our_cpu), their_least.min(their_cpu));
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (our_time, their_time) = (median(&mut our_times), median(&mut their_times));
    let ratio = median(&mut ratios);
    let spread = format!("{:.2} .. {:.2}", ratios[0], ratios[ratios.len() - 1]);
    let n = n as f64;
    println!(
        "{name:<24} {:>11.0} {:>11.0} {ratio:>7.2} {spread:>14}   {:.2} ({:.2} and {:.2} us each)",
        n / our_time,
        n / their_time,
        their_least / our_least,
        our_least / n * 1e6,
        their_least / n * 1e6,
    );
    Ok(())
}

/// How long `work` took, and the CPU time that this process used for it, in seconds.
async fn measured(work: impl Future<Output = Outcome<()>>) -> Outcome<(f64, f64)> {
    let (cpu, start) = (cpu_time()?, Instant::now());
    work.await?;
    Ok((start.elapsed().as_secs_f64(), cpu_time()? - cpu))
}

/// The CPU time that the threads of this process have used.
fn cpu_time() -> Outcome<f64> {
    let mut nanoseconds = 0.0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += stat.split(' ').next().unwrap_or("").parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

async fn our_callers(redis: &str) -> Outcome<()> {
    let conn = connect_with(redis, ConnectOptions::new().config(resp::protocol::config())).await?;
    let (pipeline, task) = resp::pipeline(conn);
    let task = tokio::spawn(task);
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let pipeline = pipeline.clone();
        callers.push(tokio::spawn(async move {
            let key = format!("bench:{caller}");
            pipeline.call(&resp::protocol::command(&["SET", &*key, "0123456789abcdef"])).await?;
            for _ in 1..CALLS {
                let value = pipeline.call(&resp::protocol::command(&["GET", &*key])).await?;
                assert_eq!(value, resp::protocol::Value::Bulk(Some(PAYLOAD.into())));
            }
            Ok::<_, asyncnet_tokio::Error>(())
        }));
    }
    for caller in callers {
        caller.await??;
    }
    pipeline.close().await?;
    Ok(task.await??)
}

async fn redis_callers(redis: &str) -> Outcome<()> {
    let client = redis::Client::open(format!("redis://{redis}/"))?;
    let conn = client.get_multiplexed_async_connection().await?;
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let mut conn = conn.clone();
        callers.push(tokio::spawn(async move {
            let key = format!("bench:{caller}");
            redis::cmd("SET").arg(&key).arg(PAYLOAD).exec_async(&mut conn).await?;
            for _ in 1..CALLS {
                let value: Vec<u8> = redis::cmd("GET").arg(&key).query_async(&mut conn).await?;
                assert_eq!(value, PAYLOAD);
            }
            Ok::<_, redis::RedisError>(())
        }));
    }
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

async fn our_pipeline(redis: &str) -> Outcome<()> {
    let conn = connect_with(redis, ConnectOptions::new().config(resp::protocol::config())).await?;
    let (pipeline, task) = resp::pipeline(conn);
    let task = tokio::spawn(task);
    let mut answers = Vec::with_capacity(IN_FLIGHT);
    for _ in 0..IN_FLIGHT {
        answers.push(pipeline.send(&resp::protocol::command(&["GET", "bench:0"])).await?);
    }
    for answer in answers {
        assert_eq!(answer.await?, resp::protocol::Value::Bulk(Some(PAYLOAD.into())));
    }
    pipeline.close().await?;
    Ok(task.await??)
}

async fn redis_pipeline(redis: &str) -> Outcome<()> {
    let client = redis::Client::open(format!("redis://{redis}/"))?;
    let mut conn = client.get_multiplexed_async_connection().await?;
    let mut pipeline = redis::pipe();
    for _ in 0..IN_FLIGHT {
        pipeline.cmd("GET").arg("bench:0");
    }
    let values: Vec<Vec<u8>> = pipeline.query_async(&mut conn).await?;
    assert!(values.len() == IN_FLIGHT && values.iter().all(|value| value == PAYLOAD));
    Ok(())
}

/// Publishes, and waits for a message of its own behind the others.
async fn our_publisher(nats: &str) -> Outcome<()> {
    let options = ConnectOptions::new().config(nats::protocol::config());
    let mut conn = connect_with(nats, options).await?;
    nats::protocol::greet(&mut conn, None).await?;
    conn.feed_line("SUB bench.done 1")?;
    let writer = conn.writer();
    let publishing = tokio::spawn(async move {
        let tally = nats::Tally::default();
        for _ in 0..MESSAGES {
            let message = nats::protocol::publication("bench.all", "", PAYLOAD);
            nats::publish(&writer, &tally, message, false).await?;
        }
        let done = nats::protocol::publication("bench.done", "", b"");
        nats::publish(&writer, &tally, done, false).await
    });
    nats::receive(&mut conn, &nats::Tally::default(), |message, _| message.is_some()).await?;
    publishing.await??;
    Ok(conn.close().await?)
}

async fn nats_publisher(nats: &str) -> Outcome<()> {
    let client = async_nats::connect(nats).await?;
    let mut done = client.subscribe("bench.done").await?;
    for _ in 0..MESSAGES {
        client.publish("bench.all", PAYLOAD.into()).await?;
    }
    client.publish("bench.done", "".into()).await?;
    done.next().await.ok_or("the connection ended")?;
    Ok(())
}
