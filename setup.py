"""The package's metadata; the tools' settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
STARTER = ("schemas", "reviewers", "alerts", "purge")


class BuildWithStarter(build_py):
    """Puts the four governance folders into the wheel, as the set that `init` writes out."""

    def run(self) -> None:
        super().run()
        for folder in STARTER:
            target = Path(self.build_lib) / "eventlogging" / "starter" / folder
            self.copy_tree(str(ROOT / folder), str(target))


setup(
    name="eventlogging-server",
    version="0.1.0",
    description="Schema-governed event logging, where every event sent is accounted for",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["eventlogging", "eventlogging.*"]),
    package_data={
        "eventlogging": ["store/migrations/script.py.mako", "governance/metaschemas/*.json"],
        "eventlogging.reports": ["templates/*.html", "templates/*.txt"],
        "eventlogging.console": ["templates/*.html", "static/*.*", "static/vendor/*"],
    },
    cmdclass={"build_py": BuildWithStarter},
    install_requires=[
        "a2wsgi>=1.10",
        "alembic>=1.13",
        "argon2-cffi>=23.1",
        "authlib>=1.3",
        "apscheduler>=3.11,<4",
        "click>=8.1",
        "datasketches>=5.0",
        "flask>=3.0",
        "graphitesend>=0.10",
        "httptools>=0.6",
        "jsonschema[format-nongpl]>=4.23",
        "jsonschema-rs>=0.60",
        "matplotlib>=3.8",
        "nagiosplugin>=1.3",
        "orjson>=3.10",
        "prometheus-client>=0.20",
        "pymysql>=1.1",
        "requests>=2.31",
        "ruamel.yaml>=0.18",
        "sqlalchemy>=2.0.30",
        "tomli-w>=1.0",
        "ua-parser[regex]>=1.0",
        "uvicorn>=0.30",
        "uvloop>=0.19",
        "yagmail>=0.15",
    ],
    extras_require={
        "bench": [
            "granian>=2.0",
            "psutil>=5.9",
            "py-spy>=0.4",
        ],
        "test": [
            "aiosmtpd>=1.4.4",
            "axe-playwright-python>=0.1.4",
            "cloudevents>=2.0",
            "httpx>=0.27",
            "hypothesis>=6.100",
            "import-linter>=2.0",
            "mypy>=1.10",
            "oidc-provider-mock>=0.2",
            "playwright>=1.40",
            "psutil>=5.9",
            "pytest>=8.0",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "ruff>=0.5",
            "schemathesis>=4.0",
            "types-jsonschema",
            "types-PyMySQL",
            "types-requests",
        ],
    },
    entry_points={
        "console_scripts": [
            "eventlogging = eventlogging.cli.main:main",
            "check_eventlogging = eventlogging.cli.nagios:main",
        ]
    },
)
