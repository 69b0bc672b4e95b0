from os.path import dirname

from framework import App, Variable, conf

App("quickstart", home=dirname(__file__)).use()  # reads quickstart.cfg in that folder

print(f"serving on {conf.get('server', 'host')}:{conf.getint('server', 'port')}")  # QUICKSTART__SERVER__PORT=1 wins
print(f"the mail password has {len(conf.get('mail', 'password'))} letters")  # what the command printed
print(Variable.get("greeting", default="hello"))  # QUICKSTART_VAR_GREETING=hi answers
