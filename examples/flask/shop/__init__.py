"""A small shop: an ordinary Flask app that takes part in WAMP.

What it offers and hears is in views.py. Where the bridge is and who the app is comes from the
environment, as `wamp-bridge dev` prints it.
"""

from pathlib import Path

from flask import Flask

from wamp_bridge.adapters.flask import dispatcher

from . import storage, views

PAGE = Path(__file__).resolve().parents[2] / "page"

app = Flask(__name__, static_folder=str(PAGE), static_url_path="/static")
app.config["WAMP_BRIDGE_PREFIX"] = "com.shop"
app.logger.setLevel("INFO")

storage.init_app(app)
app.register_blueprint(views.shop)
app.register_blueprint(dispatcher, url_prefix="/wamp")
