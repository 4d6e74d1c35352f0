"""What mmdb has in a database: made, brought up to date (`mmdb init`) and taken away (`mmdb uninstall`)."""

from mmdb.install.init import Report, install, repoint
from mmdb.install.roles import Loopback, Roles, script
from mmdb.install.uninstall import uninstall

__all__ = ["Loopback", "Report", "Roles", "install", "repoint", "script", "uninstall"]
