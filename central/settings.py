"""What central can be told at its start."""

from pathlib import Path

from pydantic import Field

from contracts.runtime.settings import Settings


class CentralSettings(Settings):
    """Settings of the central process; each is validated at the start."""

    database_connections: int = Field(8, ge=1, le=64, description="Most connections at a time; 1 on virtual time")
    host: str = Field("127.0.0.1", description="Address that REST and the console listen on")
    port: int = Field(8080, ge=0, le=65535, description="Port of it; 0: any free one")
    tote_volume_ml: int = Field(60_000, ge=1_000, le=1_000_000, description="What fits into a tote")
    tote_weight_g: int = Field(25_000, ge=1_000, le=1_000_000, description="What a tote may carry")
    release_in_work: int = Field(
        0, ge=0, le=1_000_000, description="Orders that are worked on at a time; the others wait. 0: no limit"
    )
    release_ahead_h: float = Field(
        0.0, ge=0, le=8_760, description="With that limit: none is begun earlier than so long before it is due; 0: any"
    )
    hand_picks: bool | None = Field(
        None, description="Whether people pick from shelves what bins have not; none: only where there are no pods"
    )
    release_waves: bool = Field(False, description="Whether orders wait for a wave unless they say otherwise")
    adjustment_limit: int = Field(
        1_000, ge=1, le=1_000_000, description="Pieces that one person may adjust; above it a second one must agree"
    )
    rate_per_s: int = Field(2_000, ge=0, le=1_000_000, description="Requests a second of one client; 0: no limit")
    rate_burst_s: int = Field(10, ge=1, le=3_600, description="For so many seconds' requests a client may be ahead")
    body_limit_bytes: int = Field(1_000_000, ge=10_000, description="Largest body of a request")
    bulk_limit_bytes: int = Field(200_000_000, ge=100_000, description="Largest body of a bulk request")
    session_hours: int = Field(12, ge=1, le=168, description="How long a browser stays logged in")
    webhook_internal: bool = Field(
        False, description="Whether webhooks may go to private addresses and over plain HTTP"
    )
    epcis_gln: str = Field("", pattern=r"^(\d{13})?$", description="The site's GLN, for EPCIS; none: private names")
    sscc_prefix: str = Field(
        "9520000", pattern=r"^\d{4,12}$", description="GS1 company prefix that SSCCs are issued from; 952…: for trials"
    )
    kafka_servers: str | None = Field(None, description="Kafka brokers that events go to, host:port (extra `kafka`)")
    kafka_topic: str = Field("floorplane.events", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="Their topic")
    static: Path | None = Field(None, description="Folder of the console's pages; none: the packaged one")


def console_folder(settings: CentralSettings) -> Path | None:
    """Return the folder of the console's pages: the one that is set, else the packaged one if there is any."""
    folder = settings.static or Path(__file__).parent / "console" / "static"
    return folder if folder.is_dir() else None
