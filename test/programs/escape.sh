#!/bin/sh
# Starts grandchildren that try to get away: no environment, sessions of their own, double forks. Prints the number of each.
env -i /usr/bin/setsid /bin/sh -c 'echo "escaped $$"; exec sleep 600' &
( ( env -i /usr/bin/setsid /bin/sh -c 'trap "" TERM; echo "escaped $$"; while :; do sleep 1; done' & ) & )
/usr/bin/setsid sh -c 'echo "escaped $$"; exec sleep 600' &
sleep 0.3
echo ready
[ "$1" = leave ] && exit 3
exec sleep 600
