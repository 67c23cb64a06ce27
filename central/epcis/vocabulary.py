"""The words of the Core Business Vocabulary 2.0 that EPCIS fields may use, and how else they may be written."""

import re

# fmt: off
BIZ_STEPS = frozenset({
    "accepting", "arriving", "assembling", "collecting", "commissioning", "consigning", "creating_class_instance",
    "cycle_counting", "decommissioning", "departing", "destroying", "disassembling", "dispensing", "encoding",
    "entering_exiting", "holding", "inspecting", "installing", "killing", "loading", "other", "packing", "picking",
    "receiving", "removing", "repackaging", "repairing", "replacing", "reserving", "retail_selling", "shipping",
    "staging_outbound", "stock_taking", "stocking", "storing", "transporting", "unloading", "unpacking",
    "void_shipping", "sensor_reporting", "sampling",
})
DISPOSITIONS = frozenset({
    "active", "container_closed", "damaged", "destroyed", "dispensed", "disposed", "encoded", "expired",
    "in_progress", "in_transit", "inactive", "no_pedigree_match", "non_sellable_other", "partially_dispensed",
    "recalled", "reserved", "retail_sold", "returned", "sellable_accessible", "sellable_not_accessible", "stolen",
    "unknown", "available", "completeness_verified", "completeness_inferred", "conformant", "container_open",
    "mismatch_instance", "mismatch_class", "mismatch_quantity", "needs_replacement", "non_conformant",
    "unavailable",
})
TRANSACTION_TYPES = frozenset({
    "bol", "cert", "desadv", "inv", "pedigree", "po", "poc", "prodorder", "recadv", "rma", "testprd", "testres",
    "upevt",
})
PARTY_TYPES = frozenset({"owning_party", "possessing_party", "location"})
ERROR_REASONS = frozenset({"did_not_occur", "incorrect_data"})
ALERTS = frozenset({"ALARM_CONDITION", "ERROR_CONDITION"})
COMPONENTS = frozenset({
    "x", "y", "z", "axial_distance", "azimuth", "height", "spherical_radius", "polar_angle", "elevation_angle",
    "easting", "northing", "latitude", "longitude", "altitude",
})
MEASUREMENTS = frozenset({
    "AbsoluteHumidity", "AbsorbedDose", "AbsorbedDoseRate", "Acceleration", "Radioactivity", "Altitude",
    "AmountOfSubstance", "AmountOfSubstancePerUnitVolume", "Angle", "AngularAcceleration", "AngularMomentum",
    "AngularVelocity", "Area", "Capacitance", "Conductance", "Conductivity", "Count", "Density", "Dimensionless",
    "DoseEquivalent", "DoseEquivalentRate", "DynamicViscosity", "ElectricCharge", "ElectricCurrent",
    "ElectricCurrentDensity", "ElectricFieldStrength", "Energy", "Exposure", "Force", "Frequency", "Illuminance",
    "Inductance", "Irradiance", "KinematicViscosity", "Length", "LinearMomentum", "Luminance", "LuminousFlux",
    "LuminousIntensity", "MagneticFlux", "MagneticFluxDensity", "MagneticVectorPotential", "Mass",
    "MassConcentration", "MassFlowRate", "MassPerAreaTime", "MemoryCapacity", "MolalityOfSolute", "MolarEnergy",
    "MolarMass", "MolarVolume", "Power", "Pressure", "RadiantFlux", "RadiantIntensity", "RelativeHumidity",
    "Resistance", "Resistivity", "SolidAngle", "SpecificVolume", "Speed", "SurfaceDensity", "SurfaceTension",
    "Temperature", "Time", "Torque", "Voltage", "Volume", "VolumeFlowRate", "VolumeFraction", "VolumetricFlux",
    "Wavenumber",
})
# fmt: on
NEWER_MEASUREMENTS = frozenset({"EffectiveDose", "EffectiveDoseRate", "MolarConcentration", "Molar_concentration"})
"""In use since after EPCIS 2.0.0: the schema of 2.0.0 does not know them. They are taken, never written."""

_STEP = re.compile(r"^(?:urn:epcglobal:cbv:bizstep:|https?://ref\.gs1\.org/cbv/BizStep-|cbv:BizStep-)", re.IGNORECASE)
_DISPOSITION = re.compile(r"^(?:urn:epcglobal:cbv:disp:|https?://ref\.gs1\.org/cbv/Disp-|cbv:Disp-)", re.IGNORECASE)
_TRANSACTION = re.compile(r"^(?:urn:epcglobal:cbv:btt:|https?://ref\.gs1\.org/cbv/BTT-|cbv:BTT-)", re.IGNORECASE)
_PARTY = re.compile(r"^(?:urn:epcglobal:cbv:sdt:|https?://ref\.gs1\.org/cbv/SDT-|cbv:SDT-)", re.IGNORECASE)
_REASON = re.compile(r"^(?:urn:epcglobal:cbv:er:|https?://ref\.gs1\.org/cbv/ER-|cbv:ER-)", re.IGNORECASE)


def step(word: str) -> str:
    """Return a business step as its bare word, however it is written (bare, URN, Web URI, CURIE)."""
    return _STEP.sub("", word)


def disposition(word: str) -> str:
    """Return a disposition as its bare word."""
    return _DISPOSITION.sub("", word)


def transaction_type(word: str) -> str:
    """Return the type of a business transaction as its bare word."""
    return _TRANSACTION.sub("", word)


def party_type(word: str) -> str:
    """Return the type of a source or destination as its bare word."""
    return _PARTY.sub("", word)


def error_reason(word: str) -> str:
    """Return the reason of an error declaration as its bare word."""
    return _REASON.sub("", word)
