#!/bin/sh
# A child that will not go: ignores TERM and INT, says who it is, and waits.
trap '' TERM INT HUP
echo "stubborn $$"
while :; do sleep 0.2; done
