//! The rules: one test function each, or a few.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test that does not panic when its rule is broken is none"
)]

pub mod addresses;
pub mod blocks;
pub mod both_ways;
pub mod closing;
pub mod connecting;
pub mod counting;
pub mod datagrams;
pub mod draining;
pub mod ends;
pub mod lines;
pub mod listening;
pub mod messages;
pub mod options;
#[cfg(unix)]
pub mod paths;
pub mod proxied;
pub mod rooms;
mod rule;
pub mod sending;
pub mod settings;
pub mod sharing;
#[cfg(unix)]
pub mod signals;
pub mod tls_ends;
pub mod tls_floods;
pub mod tls_handshakes;
pub mod tls_listen;
#[cfg(unix)]
pub mod tls_paths;
pub mod tls_serving;
pub mod tls_trust;
pub mod tls_upgrade;

pub use rule::Rule;

/// The table: where each test runs, in which module it is, and the rule that it holds. All else is made
/// from it.
#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$($then:tt)+] $args:tt) => {
        $($then)+! {
            $args
            beds {
                lines {
                    L1 l1_lf_ends_a_line_and_takes_one_cr_with_it
                    L2 l2_a_bare_cr_or_lf_is_reported_once_and_its_line_is_gone
                    L3 l3_bytes_are_bytes_and_only_text_has_to_be_utf8
                    L4 l4_exactly_max_is_delivered_in_any_chunking
                    L4 l4_a_longer_line_is_an_error_once_and_at_once
                    L5 l5_any_chunking_and_any_mix_of_reads_give_the_same_answers
                    L6 l6_lines_are_delivered_before_an_error
                    L6 l6_lines_are_delivered_before_an_end
                    L7 l7_an_empty_line_is_no_end
                    L8 l8_every_receive_first_finishes_discarding
                    L8 l8_into_parts_refuses_while_discarding
                    L8 l8_a_peek_reports_a_bad_line_and_leaves_it
                    L8 l8_a_cr_behind_max_line_waits_for_one_more_byte
                }
                blocks {
                    B1 b1_recv_waits_for_n_bytes_and_gives_fewer_only_at_the_end
                    B1 b1_recv_of_no_bytes_answers_at_once
                    B1 b1_unbuffered_recv_answers_with_what_there_is
                    B2 b2_a_block_above_max_block_is_an_error_before_anything_is_read
                    B3 b3_lines_and_blocks_share_one_inbox
                    B4 b4_a_peek_answers_without_consuming
                    B4 b4_a_filled_buffer_is_not_consumed
                    B4 b4_a_peek_for_more_than_there_is_tells_that_the_peer_is_gone
                    B5 b5_unbuffered_reads_no_more_than_the_call_needs
                    B5 b5_peeked_bytes_stay_and_come_first
                }
                settings {
                    F1 f1_the_framing_ends_lines_in_both_directions
                    F1 f1_settings_change_from_the_next_line_on
                    B6 b6_a_large_block_is_taken_in_pieces_or_skipped
                    N1 n1_a_message_is_consumed_whole_or_not_at_all
                }
                messages {
                    N2 n2_a_parser_is_called_again_when_what_it_lacked_is_here
                    N3 n3_a_bad_line_in_a_message_is_reported_once
                    N4 n4_what_is_in_front_of_a_checkpoint_is_consumed
                    N5 n5_a_message_is_bounded_in_bytes
                    N6 n6_a_batch_hands_out_all_that_has_arrived
                    N7 n7_the_next_batch_waits_for_what_the_last_one_lacked
                    N8 n8_a_bad_line_in_a_batch_is_reported_once
                }
                both_ways {
                    S5 s5_an_echo_answers_every_line_and_loses_no_last_answer
                }
                ends {
                    EofBetweenLines end_eof_between_lines_is_no_bytes_in_every_view
                    EofInside end_eof_inside_a_line_is_told_by_the_typed_view
                    EofInside end_eof_inside_a_block_gives_the_bytes_that_came
                    Reset end_reset_is_no_bytes_for_nim_style_calls
                    Reset end_reset_is_an_error_without_safe_disconn
                    Reset end_reset_is_an_error_in_the_typed_view
                    ClosedByUs end_closed_by_us_is_an_error_in_every_view
                    E1 e1_the_first_end_stays
                    E2 e2_the_partial_stays_and_never_becomes_a_line
                    E3 e3_a_send_to_a_gone_peer_is_no_error_under_safe_disconn
                    E3 e3_a_send_to_a_gone_peer_is_an_error_otherwise
                    E3 e3_a_flush_after_the_loss_is_an_error
                    E4 e4_a_line_error_leaves_everything
                    E4 e4_an_end_leaves_sending_and_a_reset_does_not
                    E5 e5_write_first_and_read_first_give_the_same_answers
                }
                sending {
                    S1 s1_send_completes_when_every_byte_was_handed_over
                    S2 s2_a_dropped_message_leaves_whole_or_not_at_all
                    S2 s2_a_message_dropped_while_it_waits_for_room_is_not_sent
                    S2 s2_a_torn_message_is_followed_by_nothing
                    S2 s2_a_large_message_dropped_before_it_began_is_no_harm
                    S4 s4_a_line_with_a_line_break_inside_is_refused
                    S5 s5_fed_bytes_leave_while_a_receive_waits
                    S5 s5_a_batch_is_answered_without_a_flush
                    S5 s5_fed_bytes_are_tried_before_an_end_or_an_error_is_reported
                    S5 s5_a_failing_write_side_holds_up_no_end
                    S5 s5_a_receive_tries_once_before_an_end
                    S5 s5_drive_moves_what_was_fed
                    S6 s6_above_max_queue_feed_and_try_send_answer_full
                    S6 s6_small_pieces_are_merged
                    S6 s6_waiting_sends_are_first_come_first_served
                    S6 s6_a_receive_hands_out_nothing_while_much_is_queued
                    S7 s7_a_flush_that_was_dropped_is_taken_up_by_the_next_call
                }
                sharing {
                    C1 c1_next_line_loses_nothing
                    C1 c1_next_batch_loses_nothing
                    C1 c1_recv_line_loses_nothing
                    C1 c1_blocks_lose_nothing
                    C1 c1_recv_into_writes_when_it_completes
                    C1 c1_small_sends_are_whole_or_absent
                    C1 c1_flush_is_taken_up_again
                    C1 c1_close_is_taken_up_again
                    C1 c1_a_dropped_receive_loses_no_fed_byte
                    S3 s3_messages_of_different_tasks_never_mix
                    C2 c2_a_waiting_receive_and_a_waiting_send_both_go_on
                    C2 c2_waiting_tasks_are_all_woken
                    C2 c2_a_dropped_send_leaves_its_wake_up_to_others
                    C2 c2_a_dropped_receive_leaves_its_wake_up_to_others
                    C2 c2_the_turn_is_passed_on
                    C2 c2_a_reset_wakes_all
                }
                closing {
                    C3 c3_close_sends_what_is_queued_and_ends_in_good_order
                    C3 c3_close_after_the_end_is_fine
                    C3 c3_close_tells_what_was_lost
                    C3 c3_a_receiver_gives_its_lines_then_closed
                    C3 c3_close_wakes_a_waiting_receive
                    C3 c3_abort_wakes_a_waiting_receive
                    C3 c3_abort_is_a_reset
                    C3 c3_waiting_sends_are_flushed_if_they_are_queued
                    C3 c3_close_after_a_torn_message_resets
                    C3 c3_dropping_all_writers_closes_nothing
                    C4 c4_shutdown_write_ends_our_side_alone
                    C5 c5_drop_frees_the_stream_and_tries_once_to_send
                    C5 c5_drop_never_blocks
                    C5 c5_a_drop_with_bytes_left_is_a_reset
                    C6 c6_the_last_reply_survives_unread_input
                    C6 c6_the_last_reply_survives_unread_input_without_a_clock
                }
            }
            pipes {
                ends {
                    Reset end_reset_keeps_its_kind
                }
                sending {
                    S7 s7_a_write_of_no_bytes_is_an_error
                    S7 s7_an_error_of_the_flush_surfaces
                    S7 s7_an_error_that_is_no_end_surfaces_and_leaves_everything
                }
                closing {
                    C3 c3_a_close_that_cannot_flush_gives_up
                    C3 c3_a_close_that_gives_up_ends_all_that_wait
                    C3 c3_a_close_waits_for_the_peer_only_so_long
                }
            }
            listeners {
                listening {
                    A1 a1_a_shortage_is_waited_out_without_spinning
                    A2 a2_an_error_about_one_peer_is_passed_over
                    A2 a2_any_other_error_is_told
                    A2 a2_a_peer_that_left_early_costs_nothing_but_itself
                    A3 a3_several_accepts_wait_at_once
                    C1 c1_a_dropped_accept_loses_no_connection
                    A7 a7_accepted_sockets_inherit_the_settings
                    A7 a7_accepted_sockets_are_close_on_exec
                }
                addresses {
                    A15 a15_listen_and_connect_take_a_host_and_a_port
                    A15 a15_a_listener_can_be_restarted
                    A15 a15_a_text_that_is_no_address_is_an_error_that_shows_one
                    A15 a15_a_socket_of_no_family_connects_to_either
                    A6 a6_a_name_without_an_address_is_an_error_that_names_it
                    A6 a6_a_name_is_bound_and_connected
                    A10 a10_no_address_is_any_address
                    A10 a10_a_used_port_is_an_error_that_names_it
                    A10 a10_an_address_of_another_family_is_refused
                    A10 a10_the_numbers_of_the_system_make_the_same_sockets
                    A14 a14_the_numbers_of_the_system_may_hold_flags_and_other_families
                }
                options {
                    A5 a5_every_option_is_read_back
                    A5 a5_whether_it_listens_can_only_be_asked
                    A5 a5_an_option_sets_what_it_names
                    A5 a5_keepalive_buffers_and_linger_are_set
                    A5 a5_the_user_timeout_is_set
                    A5 a5_only_v6_is_set
                    A5 a5_two_listeners_share_a_port
                    A5 a5_options_of_a_connection_are_set_and_read
                    A9 a9_a_failed_connect_keeps_the_settings
                    A14 a14_a_socket_becomes_only_what_it_is
                }
                connecting {
                    A4 a4_connect_reaches_an_ip_address_and_a_name
                    A4 a4_connect_goes_on_behind_a_refusal
                    A4 a4_connect_does_not_wait_for_a_silent_address
                    A4 a4_connect_tells_the_first_and_the_last_error
                    A9 a9_a_dropped_connect_closes_its_sockets
                    A9 a9_a_dropped_connect_closes_its_socket
                    A8 a8_sockets_of_the_standard_library_are_adopted
                    A13 a13_stats_count
                    A13 a13_a_closed_connection_has_no_socket
                    A13 a13_tcp_does_not_tell_who_is_there
                    C2 c2_everything_moves_between_threads
                    C2 c2_a_stream_that_cannot_move_is_fine
                }
                closing {
                    C3 c3_a_slow_reader_gets_all_that_was_fed
                    C3 c3_a_flood_does_not_hold_up_a_close
                }
                both_ways {
                    S5 s5_a_split_connection_gets_along_with_an_echo
                    S5 s5_a_split_secure_connection_gets_along_with_an_echo
                    S5 s5_two_split_connections_send_to_each_other
                    S5 s5_two_split_secure_connections_send_to_each_other
                    S9 s9_a_task_that_only_sends_lets_others_run
                }
                settings {
                    D1 d1_a_receive_ends_in_time_though_bytes_trickle
                    D2 d2_silence_in_both_directions_ends_a_receive
                    D3 d3_bytes_that_the_peer_does_not_take_end_the_sending_side
                    D5 d5_lines_over_the_rate_wait_and_none_is_lost
                    D5 d5_bytes_over_the_rate_wait_and_the_stream_is_not_read
                }
                rooms {
                    R1 r1_every_member_gets_every_line_in_order
                    R1 r1_a_member_without_a_receiver_gets_everything
                    R2 r2_a_member_that_does_not_read_costs_its_position_and_little_more
                    R3 r3_a_member_that_does_not_read_delays_no_other
                    R4 r4_drop_newest_delivers_again
                    R5 r5_drop_oldest_drops_whole_messages
                    R6 r6_a_member_over_the_soft_limit_is_disconnected_in_time
                    R7 r7_what_was_delivered_is_counted
                    R8 r8_a_room_that_is_closed_leaves_its_members_what_was_said
                }
                counting {
                    A12 a12_incoming_is_a_stream_of_connections
                    A12 a12_with_max_open_an_accept_waits_for_a_close
                    A12 a12_a_limit_of_0_counts_as_1
                    A12 a12_every_way_to_close_counts
                    A12 a12_finish_waits_for_the_open_ones
                    A12 a12_finish_waits_only_so_long
                }
                draining {
                    A17 a17_connections_are_told_and_end_by_themselves
                    A17 a17_idle_connections_are_closed_at_once
                    A17 a17_what_is_left_at_the_limit_is_aborted
                }
                proxied {
                    A16 a16_the_peer_is_the_client_that_the_proxy_names
                    A16 a16_tls_begins_behind_the_header
                    A16 a16_a_connection_without_a_header_is_reset
                }
                datagrams {
                    A11 a11_datagrams_stay_apart
                    A11 a11_an_empty_datagram_arrives
                    A11 a11_a_longer_datagram_is_an_error_and_stays
                    A11 a11_every_receive_gets_one
                    A11 a11_a_dropped_receive_loses_nothing
                    A11 a11_a_stream_has_no_datagrams
                    A11 a11_a_name_is_sent_to_in_the_sockets_family
                }
                tls_ends {
                    T7 t7_a_refusal_reaches_a_client_that_floods
                    T7 t7_our_client_is_told_why_it_was_refused
                    T7 t7_plain_text_at_the_port_of_tls_is_answered_with_an_alert
                    T7 t7_a_failed_upgrade_tells_the_peer_why
                    T8 t8_lines_come_before_the_error_in_the_same_read
                    T8 t8_every_way_to_end_has_its_own_name
                    T8 t8_what_comes_with_the_end_of_the_handshake_comes_before_the_end
                    T13 t13_policy_and_flag_say_how_a_truncation_is_told
                    T10 t10_every_byte_arrives_though_tickets_are_unread
                    T10 t10_a_drop_takes_the_tickets_that_have_come
                    T11 t11_after_our_close_notice_a_send_is_an_error
                    T11 t11_the_peers_close_notice_ends_one_direction
                }
                tls_floods {
                    T12 t12_a_flood_of_key_updates_is_an_error
                    T12 t12_a_flood_of_empty_records_is_an_error
                    T12 t12_a_split_message_and_a_send_get_along
                    T12 t12_a_flood_of_warnings_is_an_error
                    T12 t12_an_endless_hello_is_an_error
                }
                tls_handshakes {
                    T6 t6_a_handshake_that_ends_gives_its_slot_back
                    T6 t6_accepts_go_on_while_handshakes_wait
                    T6 t6_a_handshake_that_waits_for_a_slot_times_out
                }
                tls_listen {
                    T4 t4_connect_returns_after_the_handshake
                    T4 t4_a_server_that_leaves_in_the_handshake_is_an_error
                    T4 t4_a_handshake_ends_at_its_deadline
                    T4 t4_a_dropped_connect_closes_its_socket
                    T6 t6_a_wrapped_listener_hands_out_secure_connections
                    T6 t6_a_listener_needs_a_servers_settings
                    T6 t6_settings_with_early_data_are_refused
                    T6 t6_a_certificate_error_is_not_hidden_by_the_next_address
                    T6 t6_bad_peers_cost_only_themselves
                    T6 t6_peers_that_dawdle_are_given_up
                    T6 t6_an_honest_client_is_served_among_silent_peers
                    T6 t6_several_tasks_accept
                    T6 t6_a_dropped_accept_loses_no_peer
                    T6 t6_finish_drops_silent_peers
                    T6 t6_settings_without_the_role_are_refused
                }
                tls_serving {
                    T14 t14_new_certificates_reach_a_listener
                    T7 t7_a_record_without_a_type_is_answered
                    T7 t7_a_late_handshake_ends_with_an_alert
                    T15 t15_a_failed_handshake_is_counted_and_told
                }
                tls_trust {
                    T1 t1_tls_asks_nothing_of_an_adapter
                    T2 t2_a_certificate_is_refused_in_connect_dial_and_upgrade
                    T2 t2_the_caller_can_say_whom_to_expect
                    T2 t2_a_client_certificate_is_verified
                    T2 t2_a_verifier_of_ones_own_is_the_only_way_out
                    T3 t3_the_provider_is_in_the_settings
                    T9 t9_both_ends_tell_what_was_agreed
                    T9 t9_no_common_protocol_is_an_error_at_both_ends
                    T9 t9_a_later_connection_resumes
                    T9 t9_resumed_connections_are_greeted_without_nodelay
                }
                tls_upgrade {
                    T5 t5_plaintext_behind_the_command_is_refused
                    T5 t5_an_eager_client_hello_is_refused
                    T5 t5_unsent_plaintext_is_refused
                    T5 t5_an_upgrade_at_the_wrong_time_is_refused
                    T5 t5_a_second_upgrade_is_refused
                    T5 t5_a_dropped_upgrade_is_continued_by_any_call
                    T5 t5_a_failed_upgrade_stays_failed
                    T12 t12_what_is_queued_in_the_handshake_waits_for_its_end
                    T12 t12_what_is_queued_in_a_handshake_that_fails_never_leaves
                    C2 c2_a_secure_connection_and_its_writer_send_much_both_ways
                }
            }
            unix_sockets {
                signals {
                    S9 s9_a_write_to_a_peer_that_left_raises_no_signal
                }
                tls_paths {
                    T4 t4_a_unix_socket_needs_a_name
                }
                paths {
                    A10 a10_a_path_is_bound_and_connected
                    A10 a10_a_path_that_does_not_do_is_an_error_that_names_it
                    A10 a10_only_a_stale_socket_is_removed
                    A10 a10_a_server_notices_nothing_of_the_question_whether_it_is_there
                    A10 a10_no_socket_that_is_bound_loses_its_file
                    A10 a10_an_abstract_name_leaves_no_file
                    A8 a8_unix_sockets_are_adopted
                    A11 a11_an_abstract_peer_is_answered
                    A15 a15_a_path_is_an_address_too
                    A11 a11_unix_datagrams_stay_apart
                    A13 a13_a_unix_socket_tells_who_is_there
                }
            }
        }
    };
}

/// Makes what is told from the table: the list of all tests, and its page.
macro_rules! list {
    (() $($bed:ident { $($file:ident { $($rule:ident $test:ident)* })* })*) => {
        /// Every test: its rule, its module and name, and where it runs.
        ///
        /// | rule | test | runs on |
        /// |---|---|---|
        $($($(
            #[doc = concat!(
                "| [`", stringify!($rule), "`](Rule::", stringify!($rule), ") | [`",
                stringify!($test), "`](", stringify!($file), "::", stringify!($test), ") | ",
                stringify!($bed), " |",
            )]
        )*)*)*
        pub const TABLE: &[Test] = &[$($($(
            Test {
                rule: Rule::$rule,
                file: stringify!($file),
                name: stringify!($test),
                runs_on: stringify!($bed),
            },
        )*)*)*];
    };
}

/// A line of the [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Test {
    /// The rule that it holds.
    pub rule: Rule,
    /// Its module.
    pub file: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `beds`: everywhere. `pipes`: in memory, where everything can go wrong on demand. `listeners`:
    /// on every platform, over TCP. `unix_sockets`: the same over Unix sockets, where there are any.
    pub runs_on: &'static str,
}

crate::__table!([list]());

/// A rule without a test does not build.
const _: () = {
    let mut rules = Rule::ALL;
    while let [rule, others @ ..] = rules {
        let mut tests = TABLE;
        while let [test, others @ ..] = tests {
            if test.rule as usize == *rule as usize {
                break;
            }
            tests = others;
        }
        assert!(!tests.is_empty(), "a rule has no test");
        rules = others;
    }
};
