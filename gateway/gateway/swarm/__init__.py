"""Turn docker-compose.yml into a stack file that Docker Swarm deploys as the file means it.

`docker stack deploy` drops what it does not know, or refuses the file without saying what would do
instead. Here every setting is kept as it is, kept in another way, or refused with a reason: nothing
is lost silently. Start in stack.py; service.py has the settings of a service, mounts.py its files.
"""
