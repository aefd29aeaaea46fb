"""Turn docker-compose.yml into a stack file with the same meaning for Docker Swarm.

`docker stack deploy` drops settings that it does not know, or refuses the file without saying what
to use instead. Here every setting is kept, translated, or refused with a reason, so nothing is lost
silently. Start in stack.py; service.py converts the settings of a service, mounts.py its files.
"""
