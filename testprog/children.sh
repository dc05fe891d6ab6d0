#!/bin/sh
# A shell with two children and a grandchild; prints their pids, then waits.
sleep 100000 &
echo "child $!"
sh -c 'sleep 100000 & echo "grandchild $!"; wait' &
echo "child $!"
wait
