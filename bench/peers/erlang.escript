#!/usr/bin/env escript
%%! +S 1:1 +P 1048576
%% Erlang: processes on one scheduler. A mailbox takes whatever comes: nobody waits to send.
-mode(compile).
-define(BLOCKED, 50000).
-define(LONG_ENOUGH, 0.2).

scheduling(N) ->
    together([fun() -> yields(N div 2) end, fun() -> yields(N div 2) end]).

yields(0) -> ok;
yields(N) -> erlang:yield(), yields(N - 1).

one_to_one(N) ->
    Main = self(),
    Receiver = spawn(fun() -> Main ! {total, receives(N, 0)} end),
    spawn(fun() -> sends(Receiver, N) end),
    receive {total, _} -> ok end.

sends(_, 0) -> ok;
sends(To, N) -> To ! N, sends(To, N - 1).

receives(0, Sum) -> Sum;
receives(N, Sum) -> receive Value -> receives(N - 1, Sum bxor Value) end.

together(Bodies) ->
    Monitors = [element(2, spawn_monitor(Body)) || Body <- Bodies],
    [receive {'DOWN', Monitor, _, _, _} -> ok end || Monitor <- Monitors].

seconds(Work, N) ->
    {Taken, _} = timer:tc(fun() -> Work(N) end),
    Taken / 1.0e6.

rate(Work, N) ->
    case seconds(Work, N) < ?LONG_ENOUGH of
        true -> rate(Work, N * 2);
        false ->
            [_, Taken, _] = lists:sort([seconds(Work, N) || _ <- lists:seq(1, 3)]),
            io:format("[~w]~n", [N / Taken])
    end.

block() ->
    Before = erlang:memory(processes),
    {Taken, Kept} = timer:tc(fun() ->
        All = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, ?BLOCKED)],
        erlang:yield(),
        All
    end),
    After = erlang:memory(processes),
    io:format("[~w, ~w]~n", [Taken / length(Kept), (After - Before) / ?BLOCKED]).

main(["schedule"]) -> rate(fun scheduling/1, 2000);
main(["channel"]) -> rate(fun one_to_one/1, 2000);
main(["block"]) -> block().
