//! What is lost is a number, and what need not be lost is not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::bed::{DEFAULT, KINDS, Server, Settings, run};
use super::hub::Hub;
use crate::relay::envelope::{Origin, write};

async fn two_servers(hub: &Hub, settings: Settings) -> (Server, Server) {
    let servers = (Server::start(hub, settings), Server::start(hub, DEFAULT));
    servers.0.until_connected().await;
    servers.1.until_connected().await;
    // Each has heard of the other.
    sleep(Duration::from_millis(10)).await;
    servers
}

fn texts(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn the_room_never_waits_for_the_broker_and_what_is_kept_is_bounded() {
    for kind in KINDS {
        for is_frozen in [false, true] {
            run(async {
                let hub = Hub::new(kind);
                let (speaker, mut hearer) =
                    two_servers(&hub, Settings { buffer: 10_000, ..DEFAULT }).await;
                if is_frozen {
                    hub.state().is_frozen = true;
                } else {
                    hub.kill();
                }
                let begin = Instant::now();
                for n in 0..5000 {
                    speaker.say(&format!("{n:0100}")).await;
                    assert!(speaker.figures().outbox.kept_bytes <= 10_000);
                }
                assert_eq!(begin.elapsed(), Duration::ZERO);
                let own = speaker.figures().outbox;
                assert!(own.lost.full > 4500 && own.kept > 50, "{own:?}");
                assert_eq!(own.published + own.kept + own.lost.all(), 5000);

                hub.state().is_frozen = false;
                hub.state().is_down = false;
                hearer.until(|it| it.received + it.lost == 5000).await;
                let heard = hearer.heard().await;
                assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}");
                // What was kept has reached the other server.
                assert_eq!(heard.len() as u64, own.kept);
                assert_eq!(hearer.figures().lost, own.lost.full);
            });
        }
    }
}

#[test]
fn a_broker_that_was_killed_costs_nothing_that_was_said_meanwhile() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let (speaker, mut hearer) = two_servers(&hub, DEFAULT).await;
            for round in 0..3_u32 {
                hub.kill();
                for n in 1..=100 {
                    speaker.say(&(100 * round + n).to_string()).await;
                    sleep(Duration::from_millis(100)).await;
                }
                assert!(!speaker.figures().connected && !hearer.figures().connected);
                hub.state().is_down = false;
                let back = Instant::now();
                speaker.until_connected().await;
                hearer.until_connected().await;
                assert!(back.elapsed() <= Duration::from_secs(1), "{:?}", back.elapsed());
                hearer.until(|it| it.received + it.lost == u64::from(100 * (round + 1))).await;
            }
            assert_eq!(hearer.heard().await, texts(1..=300));
            assert_eq!((speaker.figures().reconnects, hearer.figures().lost), (3, 0));
        });
    }
}

#[test]
fn what_is_lost_is_said_in_one_line_a_second() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let (mut speaker, mut hearer) =
                two_servers(&hub, Settings { buffer: 70, quiet: false, ..DEFAULT }).await;
            hub.kill();
            for line in ["abc", "d", "e"] {
                speaker.say(line).await;
            }
            let said = speaker.heard().await;
            let lost = "[server] Lost: 1 line that clients of other servers do not get.";
            assert_eq!(said, ["abc", "d", "e", lost]);
            for _ in 0..10 {
                speaker.say("f").await;
                sleep(Duration::from_millis(50)).await;
            }
            sleep(Duration::from_secs(1)).await;
            let said = speaker.heard().await;
            let lost = "[server] Lost: 10 lines that clients of other servers do not get.";
            assert_eq!(said.iter().filter(|line| *line != "f").collect::<Vec<_>>(), [lost]);

            hub.state().is_down = false;
            hearer.until(|it| it.lost == 11).await;
            sleep(Duration::from_secs(2)).await;
            assert_eq!(hearer.heard().await, ["abc", "d"], "it is quiet");
        });
    }
}

#[test]
fn lines_of_others_that_are_lost_are_said() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let mut hearer = Server::start(&hub, Settings { quiet: false, ..DEFAULT });
            hearer.until_connected().await;
            hub.publish(&write(Origin(u128::MAX), 5, b"a\n"));
            hub.publish(&write(Origin(u128::MAX), 9, b"b\n"));
            assert_eq!(hearer.hear().await, "a");
            assert_eq!(hearer.hear().await, "b");
            let lost = "[server] Lost: 3 lines from clients of other servers.";
            assert_eq!(hearer.hear().await, lost);
        });
    }
}

/// A message of another program on the subject can hold any number.
#[test]
fn a_loss_beyond_all_numbers_is_told_and_the_relay_goes_on() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let mut hearer = Server::start(&hub, Settings { quiet: false, ..DEFAULT });
            hearer.until_connected().await;
            for origin in [u128::MAX, u128::MAX - 1] {
                hub.publish(&write(Origin(origin), 1, b"a\n"));
                hub.publish(&write(Origin(origin), u64::MAX, b""));
                sleep(Duration::from_secs(2)).await;
            }
            hub.publish(&write(Origin(1 << 100), 1, b"b\n"));
            let lost =
                format!("[server] Lost: {} lines from clients of other servers.", u64::MAX - 2);
            let rest = "[server] Lost: 2 lines from clients of other servers.";
            assert_eq!(hearer.heard().await, ["a", &lost, "a", rest, "b"]);
            assert_eq!(hearer.figures().lost, u64::MAX);
        });
    }
}

/// A speaker that starts while the broker is away has said nothing yet by which the others could miss it.
#[test]
fn a_server_that_waited_for_its_first_connection_lets_the_others_come_back_first() {
    for kind in KINDS {
        for _ in 0..20 {
            run(async {
                let hub = Hub::new(kind);
                let mut hearer = Server::start(&hub, DEFAULT);
                hearer.until_connected().await;
                hub.kill();
                let speaker = Server::start(&hub, DEFAULT);
                speaker.say("1").await;
                sleep(Duration::from_secs(10)).await;
                hub.state().is_down = false;
                speaker.until(|it| it.outbox.published == 1).await;
                sleep(Duration::from_secs(1)).await;
                assert_eq!(hearer.heard().await, ["1"]);
            });
        }
    }
}

#[test]
fn what_comes_twice_is_heard_once() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            hub.state().doubles = true;
            let (speaker, mut hearer) = two_servers(&hub, DEFAULT).await;
            for n in 1..=50 {
                speaker.say(&n.to_string()).await;
                sleep(Duration::from_millis(n)).await;
            }
            assert_eq!(hearer.heard().await, texts(1..=50));
            let figures = hearer.figures();
            assert_eq!((figures.received, figures.doubles, figures.lost), (50, 50, 0));
        });
    }
}

#[test]
fn what_no_server_of_this_version_wrote_is_counted_and_ignored() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let mut hearer = Server::start(&hub, DEFAULT);
            hearer.until_connected().await;
            let good = write(Origin(u128::MAX), 1, b"good\n");
            for bad in [&b""[..], b"hello\r\n", b"\xff\0", b"asyncnet-chat 9 x\n", &good[1..]] {
                hub.publish(bad);
            }
            hub.publish(&good);
            assert_eq!(hearer.hear().await, "good");
            let figures = hearer.figures();
            assert_eq!((figures.unreadable, figures.received, figures.lost), (5, 1, 0));
            assert_eq!(figures.reconnects, 0);
        });
    }
}

#[test]
fn a_line_that_another_room_cannot_say_is_lost_there_alone() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let (speaker, mut hearer) = two_servers(&hub, DEFAULT).await;
            let mut small = Server::start(&hub, Settings { max_line: 3, ..DEFAULT });
            small.until_connected().await;
            for line in ["one", "three", "two"] {
                speaker.say(line).await;
            }
            assert_eq!(hearer.heard().await, ["one", "three", "two"]);
            assert_eq!(small.heard().await, ["one", "two"]);
            assert_eq!((small.figures().received, small.figures().lost), (2, 1));
        });
    }
}

#[test]
fn a_line_that_is_too_long_for_the_broker_stays_here_and_leaves_a_gap() {
    run(async {
        let hub = Hub::new(super::super::place::Kind::Nats);
        hub.state().info = r#"{"max_payload":100}"#.into();
        let (speaker, mut hearer) = two_servers(&hub, DEFAULT).await;
        assert!(speaker.relay.say(b"fits"));
        assert!(!speaker.relay.say(&[b'x'; 100]));
        for _ in 0..100 {
            assert!(speaker.relay.say(b"0123456789"));
        }
        // No message is longer than the broker takes: it would have been an error.
        hearer.until(|it| it.received == 101).await;
        assert_eq!(hearer.heard().await.len(), 101);
        assert_eq!((hearer.figures().lost, speaker.figures().outbox.lost.too_long), (1, 1));
        assert_eq!((speaker.figures().reconnects, hearer.figures().reconnects), (0, 0));
    });
}

#[test]
fn a_server_that_stops_publishes_what_was_said_or_counts_it() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let (speaker, mut hearer) = two_servers(&hub, DEFAULT).await;
            for n in 1..=100 {
                speaker.say(&n.to_string()).await;
            }
            let limit = Duration::from_secs(10);
            let begin = Instant::now();
            speaker.relay.finish::<asyncnet_tokio::Tokio>(limit).await;
            assert!(begin.elapsed() < limit, "a broker that answers is not waited for");
            assert_eq!(hearer.heard().await, texts(1..=100));
            let own = speaker.figures().outbox;
            assert_eq!((own.published, own.lost.all()), (100, 0));

            hub.kill();
            for n in 101..=103 {
                hearer.say(&n.to_string()).await;
            }
            let begin = Instant::now();
            hearer.relay.finish::<asyncnet_tokio::Tokio>(limit).await;
            assert_eq!(begin.elapsed(), limit);
            let own = hearer.figures().outbox;
            assert_eq!((own.published, own.kept, own.lost.at_stop), (0, 0, 3));
        });
    }
}
