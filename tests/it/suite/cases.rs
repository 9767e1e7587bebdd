//! Every case of the ledger's suite, once: each database makes its tests of this list.

/// Makes a test of each case, on the bench that this function of [`Bench`](super::bench::Bench) opens.
macro_rules! ledger_suite {
    ($open:ident) => {
        ledger_suite! { $open of
            ledger_enqueue {
                a_job_handed_in_twice_is_taken_once,
                a_duplicate_is_told_where_the_job_stands,
                an_id_that_says_something_else_is_refused,
                a_batch_is_answered_job_by_job,
                a_large_batch_is_taken_whole_and_in_order,
                two_producers_may_share_an_id,
                a_job_is_found_by_its_key_too,
                a_job_not_to_be_sent_yet_waits_for_its_time,
            }
            ledger_claim {
                fresh_rows_come_in_order_of_publishing_and_once,
                rows_that_are_due_come_before_fresh_ones,
                a_deferral_says_why_and_leaves_its_trail,
                room_of_one_kind_is_not_used_by_the_other,
                a_row_given_back_keeps_its_place,
                lanes_keep_to_themselves,
                several_lanes_are_answered_in_one_claim,
                a_row_out_of_time_ends_instead_of_being_claimed,
                rows_behind_others_out_of_time_are_found,
                a_claim_that_ends_very_many_says_that_there_is_more,
                rows_in_an_attempt_are_not_given_back_nor_deferred,
                a_claim_whose_answer_was_lost_is_freed,
            }
            ledger_admit {
                a_claimed_job_is_admitted_once,
                a_job_that_ended_stays_ended,
                a_job_out_of_time_is_not_sent,
                a_hold_parks_what_it_covers,
                a_hold_lets_pass_what_it_does_not_cover,
                a_hold_that_ends_jobs_suppresses_them,
                one_job_may_try_a_hold_whose_time_is_over,
                a_trial_is_not_ended_by_another_hold_whose_time_is_over,
                a_job_lost_five_times_is_not_tried_again,
                an_ask_that_is_repeated_finds_its_attempt,
            }
            ledger_delivered {
                a_delivery_whose_time_has_not_come_gets_a_row_that_is_due_then,
                a_job_never_seen_is_taken_in_and_admitted,
                a_delivery_of_a_job_that_waits_in_its_row_is_not_sent,
                a_job_delivered_twice_is_sent_once,
                a_delivery_during_the_attempt_leaves_the_body_for_later,
                a_delivery_while_nobody_knows_leaves_the_body_for_later,
                a_delivered_job_that_goes_again_gets_its_row,
                a_delivered_job_that_must_wait_for_a_hold_gets_its_row,
                a_delivered_job_of_which_nobody_knows_gets_its_row,
                a_delivered_job_that_meets_a_hold_is_parked,
                a_delivered_job_that_is_over_needs_no_attempt,
                a_delivered_job_is_parked_unless_it_is_known,
                a_delivered_job_expires_unless_it_is_known,
                a_delivery_by_a_number_of_others_leaves_nothing,
            }
            ledger_settle {
                an_accepted_job_ends_and_its_row_goes,
                a_retry_waits_for_its_time_and_counts,
                a_job_ends_with_its_reason,
                a_job_is_parked_under_the_hold_that_it_places,
                a_job_is_parked_under_a_hold_that_others_placed,
                a_job_with_nothing_to_park_under_goes_at_once,
                an_unknown_job_keeps_its_row_until_its_time,
                a_late_answer_is_welcome,
                an_answer_to_another_attempt_changes_nothing,
                what_an_answer_says_of_the_number_holds_even_if_it_comes_too_late,
                an_answer_does_not_lift_what_a_person_placed,
            }
            ledger_holds {
                holds_of_one_cover_are_one_hold,
                the_hold_that_lasts_longer_rules,
                parked_rows_wait_and_are_let_out_at_the_pace_of_claims,
                rows_let_out_are_not_starved_by_a_backlog,
                rows_of_one_lane_are_let_out_however_many_holds_keep_others,
                a_lifted_hold_can_be_placed_again_over_its_rows,
                parking_under_a_hold_that_is_gone_leaves_the_row_in_line,
                one_parked_row_comes_out_to_try_a_hold_whose_time_is_over,
                a_trial_that_comes_to_nothing_is_given_to_another_row,
                a_hold_that_needs_no_trial_runs_out_by_itself,
                recipients_holds_are_listed_for_people_only,
                who_waits_for_signals_hears_of_rows_and_holds,
            }
            ledger_keep {
                an_attempt_past_its_deadline_is_unknown,
                an_unknown_job_ends_as_its_policy_says,
                waiting_rows_out_of_time_end_wherever_they_stand,
                an_attempt_outlives_its_jobs_expiry,
                old_jobs_are_forgotten_a_few_at_a_time,
            }
            ledger_leases {
                a_lease_has_one_owner_and_a_new_fence_with_each,
                a_lease_given_up_is_free_at_once,
                leases_are_listed_whoever_holds_them,
                a_number_handed_over_is_free_at_once_and_claims_stay,
                only_the_owner_of_a_number_sends_by_it,
                a_lease_that_ran_out_admits_nothing,
                old_leases_are_forgotten_and_no_numbers_fence,
                an_old_fence_admits_nothing,
            }
            ledger_workers {
                two_workers_claim_each_row_once,
                two_workers_send_one_delivery_once,
                two_workers_place_one_hold,
                two_workers_take_a_lease_once,
                two_workers_take_in_one_job,
                what_one_worker_does_the_other_hears,
            }
            ledger_storm {
                each_job_is_accepted_once_whatever_is_done_at_once,
            }
            ledger_people {
                an_unknown_job_can_be_decided_by_hand,
                jobs_are_listed_newest_first_and_filtered,
                the_census_counts_every_job_where_it_stands,
                people_learn_how_many_go_before_a_job,
                dead_bodies_are_kept_listed_and_dropped,
                a_body_that_comes_again_is_buried_once,
                what_was_read_of_the_fleet_is_remembered,
                what_workers_say_of_themselves_wakes_nobody_and_is_swept,
                analysts_find_the_documented_columns,
            }
            ledger_cancel {
                a_job_that_has_not_left_can_be_taken_back,
                a_job_that_nobody_has_seen_can_be_taken_back_ahead,
                a_name_that_no_job_can_have_is_not_taken_back,
                a_job_taken_back_ahead_is_forgotten_in_time,
            }
            ledger_events {
                events_are_written_where_somebody_listens,
                a_waiting_event_says_until_when,
                events_of_delivered_jobs_say_the_same,
            }
            ledger_statuses {
                statuses_move_a_job_forward_only,
                a_status_before_our_own_answer_ends_the_attempt,
                statuses_in_any_order_leave_the_same_row,
                one_batch_tells_several_statuses_of_one_job,
                a_status_of_no_job_of_ours_changes_nothing,
                a_failure_is_told_with_its_reason,
                an_earlier_attempts_arrival_counts_and_its_failure_does_not,
                what_was_given_up_may_have_arrived_all_the_same,
                an_unknown_outcome_is_settled_by_a_status,
                a_price_is_booked_once_and_bettered_by_a_later_status,
                each_step_is_told_to_who_listens,
                a_recipient_not_found_three_times_is_held,
                an_arrival_forgets_the_misses,
            }
            ledger_costs {
                prices_are_counted_by_day_campaign_and_country,
                only_what_was_delivered_and_is_not_free_is_billed,
                prices_of_a_time_or_a_campaign_are_counted_alone,
                a_forgotten_person_is_counted_without_a_place,
            }
            ledger_news {
                bodies_are_kept_until_they_are_applied,
                bodies_are_taken_the_oldest_first_as_far_as_they_fit,
                news_told_twice_change_nothing_the_second_time,
                the_later_end_of_a_window_stands,
                webhooks_place_and_lift_holds,
                fields_are_laid_over_those_that_are_known,
                what_nobody_understands_is_kept_for_a_while,
                facts_of_jobs_are_found_by_their_keys,
            }
            applying {
                how_fast_people_write_to_a_number_is_told_to_who_sends_by_it,
                bodies_become_what_they_mean,
                a_replay_changes_nothing,
                an_unknown_job_is_settled_by_its_webhook,
                only_the_one_on_duty_applies,
            }
            ledger_strange {
                a_reason_that_a_later_version_wrote_stops_nobody,
                a_row_that_cannot_be_read_stops_no_other,
                a_row_that_cannot_be_read_is_passed_over_once_it_ran_out_of_time,
                lifted_holds_without_rows_are_forgotten_by_the_sweep,
            }
            ledger_suppressing {
                a_start_that_is_told_again_lifts_no_newer_stop,
                many_holds_are_placed_and_new_ones_counted,
                of_many_holds_of_one_cover_the_one_that_lasts_rules,
                holds_are_lifted_by_what_they_cover_and_why_they_stand,
                recipients_holds_are_listed_page_by_page,
                webhooks_place_and_lift_in_order,
                who_is_not_on_whatsapp_three_times_in_a_row_is_left_alone,
            }
            ledger_erase {
                jobs_of_a_person_stay_without_the_person,
                an_attempt_under_way_ends_as_it_would_and_is_not_repeated,
                what_a_forgotten_person_refused_stays_refused,
                nothing_else_names_a_forgotten_person,
            }
            ledger_windows {
                a_window_stands_for_a_day_from_the_last_message,
                a_job_without_template_goes_while_the_window_is_open,
                a_job_without_template_ends_where_nobody_wrote,
                the_number_that_was_written_to_answers,
                a_job_for_one_number_alone_goes_by_no_other,
                who_opted_out_gets_no_answer_by_any_number,
                a_batch_of_all_kinds_is_answered_in_order,
            }
            ledger_quota {
                as_many_people_are_written_to_as_the_limit_says,
                a_batch_takes_no_more_places_than_there_are,
                the_reserve_is_for_urgent_jobs,
                places_that_others_use_are_taken,
                who_wrote_lately_needs_no_place,
                a_number_that_the_person_wrote_to_sends_without_a_place,
                a_person_has_one_place_however_many_messages_go,
                within_a_day_no_more_people_are_written_to_than_the_limit,
                portfolios_count_apart,
                who_sends_for_another_portfolio_gives_the_place_of_the_first_back,
                an_attempt_in_doubt_keeps_the_place_of_its_portfolio,
                without_a_limit_nothing_is_counted,
                workers_that_race_for_the_last_places_take_no_more,
            }
            ledger_quota_ends {
                what_did_not_leave_gives_its_place_back,
                what_may_have_left_keeps_its_place,
                a_place_that_another_message_needs_is_kept,
                an_attempt_without_outcome_keeps_its_place_when_a_later_one_fails,
                a_message_that_failed_later_gives_its_place_back,
                a_lost_message_that_is_found_and_fails_gives_its_place_back,
                a_message_that_fails_keeps_its_place_for_a_lost_one_before_it,
                a_delivery_moves_the_place_to_its_time,
                whoever_ends_a_job_gives_its_place_back,
                places_given_back_are_told_to_who_waits,
                a_place_that_is_not_needed_is_told_to_who_waits,
                a_forgotten_person_is_counted_still,
                places_that_are_over_are_forgotten_a_few_at_a_time,
            }
            ledger_quota_order {
                a_place_that_falls_free_goes_to_who_waits,
                who_is_more_urgent_goes_before_who_waits,
                where_nobody_waits_who_comes_takes_the_place,
                who_waits_for_a_number_that_nobody_has_keeps_nobody_waiting,
                who_waits_in_a_lane_that_nobody_asks_for_keeps_nobody_waiting,
                within_a_batch_who_comes_first_waits_first,
                who_has_waited_does_not_wait_again,
                no_place_stays_free_while_somebody_waits_for_it,
            }
            ledger_quota_parked {
                parked_jobs_come_out_as_places_are_freed,
                the_most_urgent_come_out_first,
                a_row_let_out_has_its_place,
                the_reserve_stays_when_rows_are_let_out,
                parked_rows_use_the_room_that_is_left,
                where_another_portfolio_has_places_nobody_waits_for_those_of_the_first,
                a_raised_limit_lets_out_as_many_more,
                a_limit_that_is_gone_lets_out_all_at_the_pace_of_claims,
                a_limit_below_the_count_lets_nobody_go,
                a_parked_row_out_of_time_ends,
                the_sweep_lifts_a_hold_that_nobody_waits_under,
                the_sweep_lifts_a_hold_whose_rows_nobody_asks_for,
                a_hold_that_was_lifted_stands_again_over_rows_that_nobody_asked_for,
                the_sweep_lifts_a_hold_whose_limit_is_gone,
            }
            ledger_silence {
                a_silent_job_is_sent_again_when_later_ones_were_heard_of,
                a_silent_job_that_is_heard_of_after_all_is_not_sent_again,
                silence_says_nothing_where_nobody_is_heard,
                a_silent_job_that_would_be_too_late_is_left,
                a_message_not_delivered_in_time_is_told_once,
                jobs_that_ended_otherwise_are_not_late,
            }
        }
    };
    ($open:ident of $($module:ident { $($name:ident,)+ })+) => {$($(
        #[tokio::test]
        async fn $name() {
            let bench = crate::suite::bench::Bench::$open().await;
            crate::suite::$module::$name(&bench).await;
        }
    )+)+};
}

pub(super) use ledger_suite;
