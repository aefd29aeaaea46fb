#!/bin/bash
# The container's health check: HAProxy answers on its own port. A gateway's health is not the edge's.
exec 3<>/dev/tcp/127.0.0.1/8404 || exit 1
printf 'GET / HTTP/1.0\r\n\r\n' >&3
read -r answer <&3
case $answer in *" 200 "*) ;; *) exit 1 ;; esac
